'use strict'

const pg = require('pg')
const ServerlessClient = require('serverless-postgres')
const { ConnectionLost, TransactionAborted } = require('./errors.cjs')

// What DISCARD ALL does, in a form that may stand beside other statements; without DEALLOCATE ALL, since pg believes that
// the statements it has prepared stay so. RESET ALL returns to the values given at startup.
const RESET = 'RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; CLOSE ALL; UNLISTEN *; ' +
  'SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES'
// 53300 too_many_connections; 57P: shutdown, crash, starting up; 08: connection exception
const RETRYABLE_STATE = /^(53300|57P|08)/
const NETWORK = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']
// pg's own errors have no code
const PG_LOST = /^(Connection terminated|timeout expired|Client has encountered|Client was closed|Client network socket)/
const COMMITS = /^(\s|\/\*.*?\*\/|--[^\n]*\n)*(commit|end)\b/is
const NEVER_SECONDS = 2 ** 31
const UNDEFINED_OBJECT = '42704'
/** Servers that know no `idle_session_timeout` and `client_connection_check_interval`: those before PostgreSQL 14. */
const older = new Set()

/** pg's client; serverless-postgres makes it, and neither sends again nor dies on what this one throws. */
class GuardedClient extends pg.Client {
  lost
  touched = false

  constructor (config) {
    super(config)
    // where the config has nothing, pg takes PGPASSWORD, ~/.pgpass and PGREPLICATION
    this.password = this.connectionParameters.password = config.password
    this.replication = this.connectionParameters.replication = undefined
    this.once('end', () => { this.lost ??= new Error('Connection terminated') })
  }

  async connect () {
    try {
      await super.connect()
    } catch (cause) {
      // serverless-postgres would retry the messages it knows, three times in its life
      throw new Error('connect', { cause })
    }
  }

  emit (event, ...given) {
    if (event !== 'error') return super.emit(event, ...given)
    // serverless-postgres's listener throws most of them, which would end the process
    this.lost ??= given[0]
    return true
  }

  query (...given) {
    const callback = given.at(-1)
    if (typeof callback === 'function') {
      // outside of the promise, so that what it throws is the process's, as with pg
      this.query(...given.slice(0, -1)).then(
        (result) => process.nextTick(callback, null, result), (error) => process.nextTick(callback, error))
      return undefined
    }
    const sent = !this.lost
    this.touched = true
    const running = super.query(...given)
    if (typeof running?.then !== 'function') return running // a cursor or a stream
    return running.then((result) => {
      // of a transaction in which a statement had failed, COMMIT applies nothing, and says so by its tag alone
      // several statements in one message have several results
      if ([result].flat()[0]?.command === 'ROLLBACK' && COMMITS.test(given[0]?.text ?? given[0])) throw new TransactionAborted()
      return result
    }, (error) => {
      if (!isOver(error)) throw error
      this.lost ??= error
      throw new ConnectionLost(error, sent)
    })
  }
}

/** A connection; the handler gets serverless-postgres's object. */
class PostgreSqlConnection {
  #client
  #idleSeconds
  #older

  constructor (login, { tls, timeout, idleSeconds, options }, older) {
    this.#idleSeconds = idleSeconds
    this.#older = older
    const connection = this
    const Client = class extends GuardedClient {
      constructor (config) {
        super(config)
        connection.#client = this
      }
    }
    this.client = new ServerlessClient({
      // each of them, since pg would take PGSSLNEGOTIATION and PGDATABASE
      sslnegotiation: 'postgres',
      ...options,
      ...login,
      database: login.database ?? login.user,
      ssl: tls ?? false,
      connectionTimeoutMillis: Math.min(timeout, options.connectionTimeoutMillis || timeout),
      keepAlive: true,
      // startup parameters: no statement needed, and RESET ALL returns to them
      ...(idleSeconds && {
        options: `${options.options ?? process.env.PGOPTIONS ?? ''} -c idle_in_transaction_session_timeout=${idleSeconds.within}s` +
          // a statement ends soon after its environment is gone
          (older ? '' : ` -c idle_session_timeout=${idleSeconds.within}s -c client_connection_check_interval=500`)
      }),
      library: { Client },
      // what its clean() would end: sessions between two statements of a running invocation
      minConnectionIdleTimeSec: NEVER_SECONDS
    })
    // who logs the object doesn't log the password
    for (const [name, value] of Object.entries(this.client)) {
      if (value?.password) Object.defineProperty(this.client, name, { enumerable: false })
    }
  }

  get lost () {
    return this.#client.lost
  }

  async open (deadline) {
    try {
      await this.client.connect()
      if (this.#idleSeconds) await this.begin(deadline)
    } catch (error) {
      this.#client?.connection.stream.destroy()
      throw error.cause ?? error
    }
  }

  /** Make the session an invocation's; fails where it is gone. */
  async begin (deadline) {
    const reset = this.#older ? '' : 'RESET idle_session_timeout; '
    await this.#own(this.#idleSeconds ? `${reset}RESET statement_timeout; ${limited(deadline)}` : '')
    return true
  }

  /** Undo what a handler left, and leave the session to the server's patience: one message. */
  async clean () {
    const client = this.#client
    const statements = []
    if (client.getTransactionStatus() !== 'I') statements.push('ROLLBACK')
    if (this.#idleSeconds) {
      if (client.touched) statements.push(RESET)
      if (!this.#older) statements.push(`SET idle_session_timeout='${this.#idleSeconds.between}s'`)
    }
    if (statements.length) await this.#own(statements.join('; '))
    client.touched = false
  }

  async end () {
    if (this.#client.getTransactionStatus() !== 'I') throw new Error('a BEGIN that nobody awaited')
  }

  #own (statement) {
    const client = this.#client
    const { touched } = client
    const running = client.query(statement)
    client.touched = touched
    return running
  }

  /** Count everybody's connections; any user may. */
  async usage (maxConnections) {
    const { rows: [{ used, limit }] } = await this.#own(
      "SELECT sum(numbackends)::int AS used, current_setting('max_connections')::int AS limit FROM pg_stat_database"
    )
    return [Number(used), maxConnections ?? Number(limit)]
  }

  async close () {
    this.#client.lost ??= new Error('Connection terminated')
    // end() waits for the server's goodbye, and on a half-open connection for ever
    const { stream } = this.#client.connection
    if (stream.writable) this.#client.end().catch(() => {})
    stream.destroySoon()
  }
}

/** The statement that ends a statement before Lambda ends the process; a lower limit, of whose ever, stays. */
function limited (deadline) {
  const most = `'${Math.max(100, Math.ceil(deadline.remaining()))}ms'`
  const own = "current_setting('statement_timeout')"
  return `SELECT set_config('statement_timeout', CASE WHEN ${own}::interval BETWEEN '1ms' AND ${most} THEN ${own} ELSE ${most} END, false)`
}

/** Whether the connection is over. FATAL and PANIC end the session. */
function isOver (error) {
  return error.severity === 'FATAL' || error.severity === 'PANIC' || (!error.severity && isRetryable(error))
}

async function connect (login, session, deadline) {
  const server = `${login.host}:${login.port}`
  if (older.has(server)) return open(login, session, deadline, true)
  try {
    return await open(login, session, deadline, false)
  } catch (error) {
    if (error.code !== UNDEFINED_OBJECT) throw error
    const connection = await open(login, session, deadline, true)
    older.add(server)
    return connection
  }
}

async function open (login, session, deadline, older) {
  const connection = new PostgreSqlConnection(login, session, older)
  await connection.open(deadline)
  return connection
}

function isRetryable (error) {
  return RETRYABLE_STATE.test(error.code) || NETWORK.includes(error.code) || PG_LOST.test(error.message)
}

function isLoginRefused (error) {
  // 28P01 invalid_password; 28000 invalid_authorization_specification: what PAM, so IAM, answers
  return error.code === '28P01' || error.code === '28000'
}

module.exports = { connect, isRetryable, isLoginRefused }
