// Each option of mysql2's and pg's own connect has a verdict: kept with this value, or refused at once.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, afterEach, test } from 'node:test'
import { inspect } from 'node:util'
import { ConfigurationError, database } from 'breakwater-runtime'
import { closeAll, closeDatabases, context, isPostgreSql, make, number, password, port, rows, schema, sessionId, user } from './support.mjs'

const require = createRequire(import.meta.url)
const source = (name) => readFileSync(join(dirname(require.resolve(`${name.split('/')[0]}/package.json`)), name.split('/').slice(1).join('/')), 'utf8')
const names = (text, pattern) => [...text.matchAll(pattern)].map((found) => found[1])

const MYSQL = {
  authPlugins: {}, authSwitchHandler: undefined, bigNumberStrings: true, charset: 'latin1', charsetNumber: 8, compress: true,
  connectAttributes: { program_name: 'shop' }, connectTimeout: 3000, dateStrings: true, debug: false, decimalNumbers: true,
  disableEval: true, enableCleartextPlugin: true, flags: ['FOUND_ROWS', 'IGNORE_SPACE'], gracefulEnd: true,
  infileStreamFactory: undefined, jsonStrings: true, keepAliveInitialDelay: 1000, localAddress: '127.0.0.1',
  maxPreparedStatements: 10, multipleStatements: true, namedPlaceholders: true, nestTables: '_', queryFormat: undefined,
  rowsAsArray: true, stringifyObjects: true, supportBigNumbers: true, timezone: '+03:00', trace: false, typeCast: false
}
const PG = {
  application_name: 'shop', binary: false, client_encoding: 'UTF8', connectionTimeoutMillis: 3000, enableChannelBinding: true,
  fallback_application_name: 'shop', idle_in_transaction_session_timeout: 9000, keepAliveInitialDelayMillis: 1000,
  lock_timeout: 5000, options: '-c timezone=Asia/Kathmandu', query_timeout: 9000, scramMaxIterations: 200000,
  sslNegotiation: 'postgres', sslnegotiation: 'postgres', statement_timeout: 9000, types: require('pg').types
}
const kept = isPostgreSql ? PG : MYSQL
const refused = isPostgreSql
  ? ['Promise', 'connection', 'connectionString', 'database', 'host', 'keepAlive', 'password', 'pipeline', 'port', 'replication', 'ssl', 'stream', 'user']
  : ['Promise', 'connectionLimit', 'database', 'enableKeepAlive', 'host', 'idleTimeout', 'insecureAuth', 'isServer', 'maxIdle', 'password',
      'password1', 'password2', 'password3', 'passwordSha1', 'pool', 'port', 'queueLimit', 'resetOnRelease', 'socketPath', 'ssl',
      'stream', 'uri', 'user', 'waitForConnections']

afterEach(closeDatabases)
after(closeAll)

test('each option of the driver has a verdict', () => {
  const accepted = isPostgreSql
    ? [...names(source('pg/lib/connection-parameters.js'), /(?:val\('|config\.)(\w+)/g), ...names(source('pg/lib/client.js'), /\bc\.(\w+)/g),
        ...names(source('pg/lib/connection.js'), /\bconfig\.(\w+)/g)]
    : names(/validOptions = \{.*?\n\};/s.exec(source('mysql2/lib/connection_config.js'))[0], /^ {2}(\w+): 1/gm)
  assert.ok(accepted.length > 15)
  assert.deepEqual([...new Set(accepted)].filter((name) => !(name in kept) && !refused.includes(name)), [])
})

test('what is refused is refused at once', () => {
  for (const name of [...refused, 'noSuchOption']) {
    const options = { engine: isPostgreSql ? 'postgresql' : 'mysql', host: 'db.example.net', driver: { [name]: 1 } }
    assert.throws(() => database(options), (error) => error instanceof ConfigurationError && error.message.includes(`driver.${name} `), name)
  }
  if (isPostgreSql) return
  for (const flags of ['-SESSION_TRACK', ['FOUND_ROWS', '-TRANSACTIONS']]) {
    assert.throws(() => database({ engine: 'mysql', host: 'db.example.net', driver: { flags } }), ConfigurationError)
  }
})

test('what is kept breaks no promise: bounded, rolled back, cleaned, on one session', async () => {
  const [bound, leave, left] = isPostgreSql
    ? ["SELECT (extract(epoch FROM current_setting('statement_timeout')::interval) BETWEEN 1 AND 20)::int", 'SET search_path = nowhere', "SELECT (current_setting('search_path') = 'nowhere')::int"]
    : ['SELECT @@max_statement_time BETWEEN 1 AND 20', 'SET @tenant = 7', 'SELECT @tenant IS NOT NULL']
  const one = (result) => {
    const [row] = rows(result)
    return Number(Object.values(row)[0])
  }
  for (const [name, value] of Object.entries(kept)) {
    const own = make({ driver: { [name]: value } })
    const ids = []
    for (let time = 0; time < 3; time++) {
      await own.use(context(), async (client) => {
        ids.push(one(await client.query(isPostgreSql ? 'SELECT pg_backend_pid()' : 'SELECT CONNECTION_ID()')))
        assert.equal(one(await client.query(bound)), 1, `${name}: bounded`)
        assert.equal(one(await client.query(left)), 0, `${name}: cleaned`)
        await client.query(leave)
        await client.query(isPostgreSql ? 'BEGIN' : 'START TRANSACTION')
      })
    }
    // a session whose cleaning takes too long, on a busy machine, is not used again
    assert.ok(new Set(ids).size < 3, `${name}: one session`)
    await own.close()
  }
})

test('what a handler logs shows no password', async () => {
  for (const depth of [2, 20]) {
    const shown = await make().use(context(), (client) => inspect(client, { depth, showHidden: false }))
    assert.ok(!shown.includes(password), `depth ${depth}`)
  }
})

test('nothing around it leads elsewhere', async () => {
  const home = mkdtempSync(join(tmpdir(), 'home-'))
  writeFileSync(join(home, '.pgpass'), `*:*:*:*:${password}\n`, { mode: 0o600 })
  const around = {
    HOME: home, PGBINARY: '1', PGCONNECT_TIMEOUT: 'nonsense', PGDATABASE: 'nowhere', PGHOST: '127.0.0.9', PGPASSWORD: password, PGPORT: '1',
    PGREPLICATION: 'database', PGSSLMODE: 'no-verify', PGSSLNEGOTIATION: 'nonsense', PGSSLROOTCERT: '/nowhere', PGUSER: 'nobody',
    MYSQL_HOST: '127.0.0.9', MYSQL_PWD: password, MYSQL_TCP_PORT: '1', NODE_TLS_REJECT_UNAUTHORIZED: '0',
    // how a session begins is the function's own affair
    PGOPTIONS: '-c timezone=Asia/Kathmandu -c statement_timeout=0'
  }
  const before = { ...process.env }
  Object.assign(process.env, around)
  try {
    const [who, zone] = isPostgreSql
      ? ["SELECT concat_ws(' ', session_user, current_database(), inet_server_port()) AS who", 'SHOW timezone']
      : ["SELECT CONCAT(SUBSTRING_INDEX(USER(), '@', 1), ' ', DATABASE(), ' ', @@port) AS who"]
    await make().use(context(), async (client) => {
      assert.equal(rows(await client.query(who))[0].who, `${user} ${schema} ${port}`)
      if (zone) assert.equal(Object.values(rows(await client.query(zone))[0])[0], 'Asia/Kathmandu')
    })
    await assert.rejects(make({ password: '' }).use(context(), sessionId), /password|denied/i)
    await assert.rejects(make({ user: undefined }).use(context(), sessionId), (error) => error instanceof ConfigurationError && /user \(option/.test(error.message))
  } finally {
    for (const name of Object.keys(around)) delete process.env[name]
    Object.assign(process.env, before)
  }
})

if (isPostgreSql) {
  test('options are joined', async () => {
    const own = make({ driver: { options: '-c timezone=Asia/Kathmandu' } })
    for (let time = 0; time < 2; time++) {
      const [row] = await own.use(context(), async (client) => {
        const shown = await client.query("SELECT current_setting('timezone') AS zone, current_setting('client_connection_check_interval') AS every")
        await client.query("SET timezone = 'UTC'")
        return rows(shown)
      })
      assert.deepEqual(row, { zone: 'Asia/Kathmandu', every: '500ms' })
    }
  })
} else {
  test('a flag of the login holds after its session was cleaned', async () => {
    const own = make({ driver: { flags: 'IGNORE_SPACE' } })
    for (let time = 0; time < 2; time++) {
      assert.equal(number(await own.use(context(), async (client) => {
        await client.query('SET @tenant = 7')
        return client.query('SELECT COUNT (*) FROM (SELECT 1) AS one')
      })), 1)
    }
    assert.ok(await own.use(context(), sessionId))
  })
}
