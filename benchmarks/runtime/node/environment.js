// An execution environment with a Node.js peer: one invocation for each line, used as its README says.
const readline = require('node:readline')

const [strategy, text] = process.argv.slice(2)
const settings = JSON.parse(text)
const login = { host: settings.host, port: settings.port, user: settings.user, password: settings.password, database: settings.database }

async function mysqlInvocation (database) {
  for (const number of [7, 42]) await database.query('SELECT name FROM products WHERE id = ?', [number])
  await database.query('SELECT SLEEP(0.1)')
  await database.end()
}

async function postgresInvocation (database) {
  await database.connect()
  for (const number of [7, 42]) await database.query('SELECT name FROM products WHERE id = $1', [number])
  await database.query('SELECT pg_sleep(0.1)')
  await database.clean()
}

async function ownInvocation (database) {
  const end = Date.now() + 15_000
  const isPostgreSql = settings.engine === 'postgresql'
  await database.use({ getRemainingTimeInMillis: () => end - Date.now() }, async (client) => {
    for (const number of [7, 42]) await client.query(`SELECT name FROM products WHERE id = ${isPostgreSql ? '$1' : '?'}`, [number])
    await client.query(isPostgreSql ? 'SELECT pg_sleep(0.1)' : 'SELECT SLEEP(0.1)')
  })
}

let invoke
if (strategy === 'breakwater for Node.js') {
  const { engine, max_connections: maxConnections, function_timeout: functionTimeout } = settings
  const own = require(`${process.env.LAYER}/breakwater-runtime`).database({ ...login, engine, maxConnections, functionTimeout })
  invoke = () => ownInvocation(own)
} else if (strategy === 'serverless-mysql') {
  const database = require('serverless-mysql')({ config: login })
  invoke = () => mysqlInvocation(database)
} else {
  const Client = require('serverless-postgres')
  const database = new Client({ ...login, maxConnections: settings.max_connections })
  invoke = () => postgresInvocation(database)
}

const lines = readline.createInterface({ input: process.stdin })
lines.on('line', async () => {
  const started = process.hrtime.bigint()
  let error = null
  try {
    await invoke()
  } catch (failure) {
    error = String(failure).slice(0, 200)
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  process.stdout.write(JSON.stringify({ error, seconds }) + '\n')
})
// a lost connection must not end the environment; the next invocation sees it
process.on('uncaughtException', () => {})
