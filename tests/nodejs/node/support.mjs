// What the tests share: the server that pytest started, its administrator, and a network that loses packets.
import net from 'node:net'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const require = createRequire(import.meta.url)
export const part = (name) => require(join(dirname(require.resolve('breakwater-runtime')), name))
const { Database, Slot } = part('database.cjs')
const { Settings } = part('settings.cjs')
export const { engine, host, port, user, password, database: schema, admin: adminLogin, neighbour } = JSON.parse(process.env.TEST_SERVER)
export const isPostgreSql = engine === 'postgresql'
export const login = { host, port, user, password, database: schema }
const opened = []
const databases = []

/** A database of the runtime, as in an environment of its own, until `closeDatabases()`. */
export function make (options = {}) {
  const settings = new Settings({ engine, ...login, functionTimeout: 30, maxConnections: 30, ...options })
  const made = new Database(settings, new Slot())
  databases.push(made)
  return made
}

/** Close what `make` made, and wait until the server has seen it: the tests' own connection stays. */
export async function closeDatabases () {
  await Promise.all(databases.splice(0).map((made) => made.close()))
  await until(async () => (await sessions()).length <= 1, 'no session but one')
}

export function context (seconds = 20) {
  const end = Date.now() + seconds * 1000
  return { callbackWaitsForEmptyEventLoop: true, getRemainingTimeInMillis: () => end - Date.now() }
}

export const rows = (result) => (isPostgreSql ? result.rows : result)
export const number = (result) => Number(Object.values(rows(result)[0])[0])
export const sessionId = async (client) => number(await client.query(isPostgreSql ? 'SELECT pg_backend_pid()' : 'SELECT CONNECTION_ID()'))

/** A driver's own connection, closed at the end of the file. */
export async function connect (as = login) {
  if (isPostgreSql) {
    const client = new (require('pg').Client)(as)
    client.on('error', () => {})
    await client.connect()
    opened.push(() => client.connection.stream.destroy())
    return { query: (statement) => client.query(statement), close: () => client.end() }
  }
  const client = await require('mysql2/promise').createConnection(as)
  client.on('error', () => {})
  opened.push(() => client.destroy())
  return { query: async (statement) => (await client.query(statement))[0], close: () => client.end() }
}

let asAdmin
export async function admin (statement) {
  asAdmin ??= await connect(adminLogin)
  return rows(await asAdmin.query(statement))
}

export const kill = (id) => admin(isPostgreSql ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`)

export async function sessions () {
  const statement = isPostgreSql
    ? "SELECT pid AS id FROM pg_stat_activity WHERE usename = 'app'"
    : "SELECT id FROM information_schema.processlist WHERE user = 'app'"
  return (await admin(statement)).map((row) => Number(row.id))
}

export async function until (condition, what, seconds = 15) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) if (await condition()) return
  throw new Error(`not within ${seconds} s: ${what}`)
}

/** Hold so many connections, or with Infinity as many as the server has. */
export async function hold (count, as = login) {
  const held = []
  try {
    while (held.length < count) held.push(await connect(as))
  } catch (error) {
    if (count !== Infinity) throw error
  }
  return { release: () => Promise.all(held.map((connection) => connection.close())) }
}

export function closeAll () {
  for (const close of opened.reverse()) close()
}

/** Forwards to the server. */
export class Network {
  #pairs = []
  #lost = new Set()
  #server = net.createServer((client) => this.#forward(client))
  /** A statement whose reply is lost: the server answers, and the client's connection ends instead. */
  losesReplyOf
  /** Names that the server gets to hear as ones of the same length that it doesn't know. */
  hides = []

  async start (at = 0) {
    this.#server.listen(at, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = this.#server.address().port
    return this
  }

  /** Lose every packet of the connections that exist, without a reset. */
  blackHole () {
    for (const pair of this.#pairs) this.#lost.add(pair)
  }

  stop () {
    this.#server.close()
    for (const pair of this.#pairs) for (const end of pair) end.destroy()
  }

  #hidden (data) {
    return this.hides.reduce((sent, name) => Buffer.from(sent.toString('latin1').replaceAll(name, `x${name.slice(1)}`), 'latin1'), data)
  }

  #forward (client) {
    const upstream = net.connect(port, host)
    const pair = [client, upstream]
    this.#pairs.push(pair)
    let losing = false
    client.on('data', (data) => {
      if (this.losesReplyOf && data.includes(this.losesReplyOf)) losing = true
      if (!this.#lost.has(pair)) upstream.write(this.#hidden(data))
    })
    upstream.on('data', (data) => {
      if (losing) client.destroy()
      else if (!this.#lost.has(pair)) client.write(data)
    })
    for (const [one, other] of [pair, [upstream, client]]) {
      one.on('error', () => {})
      one.on('close', () => { if (!this.#lost.has(pair)) other.destroy() })
    }
  }
}
