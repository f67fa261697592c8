'use strict'

const { isIP } = require('node:net')
const mysql2 = require('mysql2')
const serverlessMysql = require('serverless-mysql')
const { ConfigurationError, ConnectionLost, TransactionAborted } = require('./errors.cjs')

const FULL = ['ER_CON_COUNT_ERROR', 'ER_TOO_MANY_USER_CONNECTIONS', 'ER_USER_LIMIT_REACHED']
const RETRYABLE = [
  ...FULL, 'ER_SERVER_SHUTDOWN', 'ER_ABORTING_CONNECTION', 'PROTOCOL_CONNECTION_LOST', 'ECONNREFUSED', 'ECONNRESET',
  'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'
]
const OWN_LIMITS = /\bset\b[^;]*(max_statement_time|max_execution_time|lock_wait_timeout)/i
const BEGINS_ANEW = /^(\s|\/\*(?![!M]).*?\*\/)*(rollback(?!\s+(work\s+)?to\b)|begin|start\s+transaction)\b/is
/** Methods of mysql2 that send by its query(), which is to be the guarded one. */
const BY_QUERY = ['promise', 'beginTransaction', 'commit', 'rollback']
const LIMITS_HOLD_MS = 400
// MySQL protocol, "SERVER_STATUS_flags_enum"
const IN_TRANSACTION = 0x0001
const AUTOCOMMIT = 0x0002
// MySQL protocol, "Capabilities Flags"; mysql2 asks for it
const CLIENT_IGNORE_SPACE = 0x100

/**
 * A connection of MySQL or MariaDB.
 *
 * The handler gets serverless-mysql's object. Around it, since serverless-mysql 2.1 would otherwise open another
 * connection in the middle of a transaction, send a statement again whose reply was lost, and end others' sessions:
 * - one such object for one connection; `createConnection` gives it a connection that ends with an error of its own;
 * - no connection management of its own (`manageConns`), no retries of its own (`maxRetries`).
 */
class MySqlConnection {
  lost
  #connection
  #login
  #idleSeconds
  #inTransaction = false
  #isOpen = false
  #aborted = false
  #changed = false
  #deadline
  #limitedAt = 0
  #unanswered = new Set()

  constructor (login, { idleSeconds, timeout, tls, options }) {
    this.#login = login
    this.#idleSeconds = idleSeconds
    const config = { ...options, ...login, connectTimeout: Math.min(timeout, options.connectTimeout || timeout), ssl: tls && { ...tls, verifyIdentity: true } }
    this.client = serverlessMysql({
      config,
      library: Object.create(mysql2, { createConnection: { value: (given) => this.#guarded(given) } }),
      manageConns: false,
      maxRetries: 0,
      // serverless-mysql throws an error without the code
      onConnectError: (error) => { this.refused = error }
    })
  }

  async open (deadline) {
    try {
      await this.client.connect()
      if (this.#idleSeconds) {
        await this.#start()
        await this.begin(deadline)
      }
    } catch (error) {
      this.close()
      throw this.refused ?? error
    }
  }

  /** Make the session an invocation's; fails where it is gone. */
  async begin (deadline) {
    this.#deadline = deadline
    await (this.#idleSeconds ? this.#idle(this.#idleSeconds.within, this.#limits()) : this.#send('ping'))
    return true
  }

  /** Leave the session to the server's patience. */
  async end () {
    if (this.#idleSeconds) await this.#idle(this.#idleSeconds.between)
    if (this.#inTransaction || this.#changed) throw new Error('a statement that nobody awaited')
  }

  #idle (seconds, more = '') {
    return this.#send('query', `SET SESSION wait_timeout=${seconds}${more}`)
  }

  /**
   * The server's own limits, never above an administrator's: a statement that waits ends before Lambda ends the process,
   * whose session would go on. MariaDB bounds every statement, MySQL SELECT alone, and both the wait for a lock.
   */
  #limits () {
    this.#limitedAt = performance.now()
    const seconds = Math.max(0.1, this.#deadline.remaining() / 1000)
    const isMariaDb = /mariadb/i.test(this.#connection._handshakePacket.serverVersion)
    const [name, most] = isMariaDb ? ['max_statement_time', seconds.toFixed(3)] : ['max_execution_time', Math.ceil(seconds * 1000)]
    const wait = Math.max(1, Math.floor(seconds))
    return `, SESSION ${name}=IF(@@GLOBAL.${name} > 0, LEAST(@@GLOBAL.${name}, ${most}), ${most})` +
      `, SESSION innodb_lock_wait_timeout=LEAST(@@GLOBAL.innodb_lock_wait_timeout, ${wait})` +
      `, SESSION lock_wait_timeout=LEAST(@@GLOBAL.lock_wait_timeout, ${wait})`
  }

  /** Before a statement that begins late, send what is left; not once the handler has set such a limit itself. */
  #tighten (statement) {
    if (!this.#idleSeconds || this.lost) return
    if (OWN_LIMITS.test(statementOf(statement))) this.#limitedAt = Infinity
    else if (performance.now() - this.#limitedAt > LIMITS_HOLD_MS) {
      this.#connection.query(`SET SESSION wait_timeout=${this.#idleSeconds.within}${this.#limits()}`, () => {})
    }
  }

  #start (more = '') {
    return this.#send('query', `SET SESSION session_track_state_change=1, SESSION wait_timeout=${this.#idleSeconds.within}${more}`)
  }

  /** Undo what a handler left, where the server reported something. */
  async clean () {
    if (this.#changed && !this.#idleSeconds) {
      // behind RDS Proxy a session with state is pinned; the next one isn't
      this.lost = new Error('the session has state')
    } else if (this.#changed) {
      // COM_CHANGE_USER, since after COM_RESET_CONNECTION another database stays selected
      await this.#send('changeUser', this.#login)
      // of the login's flags it forgets this one
      const ignoreSpace = this.#connection.config.clientFlags & CLIENT_IGNORE_SPACE
      await this.#start(ignoreSpace ? ", SESSION sql_mode=CONCAT('IGNORE_SPACE,', @@sql_mode)" : '')
    } else if (this.#inTransaction) {
      await this.#send('query', 'ROLLBACK')
    }
    this.#changed = this.#inTransaction = this.#isOpen = this.#aborted = false
  }

  /** Count everybody's connections; any user may. */
  async usage (maxConnections) {
    const [{ Value: used }] = await this.#send('query', own("SHOW GLOBAL STATUS LIKE 'Threads_connected'"))
    if (maxConnections) return [Number(used), maxConnections]
    const [{ limit }] = await this.#send('query', own('SELECT @@GLOBAL.max_connections AS `limit`'))
    return [Number(used), Number(limit)]
  }

  async close () {
    const connection = this.#connection
    if (!connection) return
    // nobody waits for these any more
    this.#unanswered.clear()
    // a farewell is written, but not waited for: on a half-open connection nobody reads it
    if (!this.lost) connection.end()
    this.lost ??= new Error('closed')
    connection.stream.destroySoon()
  }

  #send (method, ...given) {
    return new Promise((resolve, reject) => {
      this.#connection[method](...given, (error, result) => {
        error ? reject(error) : resolve(result)
      })
    })
  }

  #guarded (config) {
    if (this.#connection) throw new ConnectionLost(this.lost ?? new Error('closed by quit()'), false)
    const connection = mysql2.createConnection(config)
    this.#connection = connection
    connection.on('error', (error) => this.#noteEnd(error))
    connection.on('end', () => this.#noteEnd(new Error('closed by the server')))
    const guards = {
      // serverless-mysql's listener would forget the connection and open another
      on: (event, listener) => (event === 'error' ? connection : connection.on(event, listener)),
      query: (...given) => this.#run(given[0], connection.query.bind(connection), given),
      execute: (...given) => this.#run(given[0], connection.execute.bind(connection), given),
      changeUser: (...given) => {
        this.#changed = true
        return connection.changeUser(...given)
      },
      prepare: (statement, callback) => {
        if (this.lost) return process.nextTick(() => callback?.(new ConnectionLost(this.lost, false)))
        this.#changed = true
        return connection.prepare(statement, (error, prepared) => {
          // nothing has run
          if (isOver(error)) error = new ConnectionLost(this.lost ??= error, false)
          // mysql2 keeps the object, for whoever prepares the same
          callback?.(error, prepared && Object.create(prepared, {
            execute: { value: (...given) => this.#run(prepared.query, prepared.execute.bind(prepared), given) }
          }))
        })
      },
      end: (...given) => {
        this.lost ??= new Error('closed by quit()')
        return connection.end(...given)
      }
    }
    const guarded = new Proxy(connection, {
      get: (target, name) => {
        if (Object.hasOwn(guards, name)) return guards[name]
        if (typeof target[name] !== 'function') return target[name]
        return target[name].bind(BY_QUERY.includes(name) ? guarded : target)
      }
    })
    return guarded
  }

  /** Tell those who listen to a stream or to events, which mysql2 leaves waiting. */
  #noteEnd (error) {
    this.lost ??= error
    for (const command of this.#unanswered) {
      if (command.listenerCount('error')) command.emit('error', new ConnectionLost(this.lost, true))
    }
    this.#unanswered.clear()
  }

  /** Send a statement: query(), execute() or that of a prepared one, with what it is given. */
  #run (statement, send, given) {
    this.#tighten(statement)
    const callback = given.at(-1)
    if (typeof callback !== 'function') return this.#runWithoutCallback(statement, send, given)
    // with the connection the server has rolled back; serverless-mysql does not expect a ROLLBACK to fail
    const rolledBack = () => this.lost && /^\s*ROLLBACK\s*$/i.test(statement)
    const sent = !this.lost
    if (sent && this.#aborted) {
      if (!BEGINS_ANEW.test(statementOf(statement))) {
        process.nextTick(callback, new TransactionAborted())
        return {}
      }
      this.#aborted = false
    }
    const answer = (error, result, ...more) => {
      this.#noteChange(result)
      if (error && this.#isOpen && !isOver(error)) {
        this.#noteWhetherAborted(() => callback(error, result, ...more))
        return
      }
      if (isOver(error)) {
        this.lost ??= error
        this.#connection.stream.destroy()
        error = new ConnectionLost(error, sent)
      }
      return rolledBack() ? callback(null, []) : callback(error, result, ...more)
    }
    if (!sent) {
      process.nextTick(answer, Object.assign(new Error(this.lost.message), { code: this.lost.code, fatal: true }))
      return {}
    }
    return send(...given.slice(0, -1), answer)
  }

  /** Events or a stream: what it changes is not known. */
  #runWithoutCallback (statement, send, given) {
    if (this.lost) throw new ConnectionLost(this.lost, false)
    if (this.#aborted && !BEGINS_ANEW.test(statementOf(statement))) throw new TransactionAborted()
    this.#changed = true
    const command = send(...given)
    this.#unanswered.add(command)
    const emit = command.emit
    command.emit = (event, ...told) => {
      if (event === 'end') this.#unanswered.delete(command)
      // no listener of ours, which would make an error that nobody listens to a quiet one
      if (event === 'error' && this.#isOpen && told[0]?.code === 'ER_LOCK_DEADLOCK') {
        this.#isOpen = false
        this.#aborted = true
      }
      return emit.call(command, event, ...told)
    }
    return command
  }

  /** After an error, whose packet doesn't say so, ask whether the transaction is still open: a deadlock ends it. */
  #noteWhetherAborted (then) {
    this.#connection.query('DO 0', (error, header) => {
      this.#isOpen = !error && Boolean(header.serverStatus & IN_TRANSACTION)
      this.#aborted = !error && !this.#isOpen
      then()
    })
  }

  #noteChange (result) {
    // of several statements an array, as the rows of one
    const several = Array.isArray(result) && [result[0], result.at(-1)].some((part) => Array.isArray(part) || isHeader(part))
    for (const header of several ? result : [result]) {
      if (!isHeader(header)) continue
      this.#isOpen = Boolean(header.serverStatus & IN_TRANSACTION)
      // without autocommit a SELECT opens a transaction, too
      this.#inTransaction = this.#isOpen || !(header.serverStatus & AUTOCOMMIT)
      if (header.stateChanges) this.#changed = true
    }
  }
}

const statementOf = (given) => given?.sql ?? given

/** Whether this is what mysql2 makes of a statement without rows; it does not export the class. */
const isHeader = (result) => result?.constructor?.name === 'ResultSetHeader'

/** A statement of the runtime's own, whose rows are not what the user's options make of them. */
const own = (sql) => ({ sql, rowsAsArray: false, nestTables: false, typeCast: true })

/** Whether the connection is over; after a statement's own timeout its reply would be taken for the next one's. */
function isOver (error) {
  return Boolean(error?.fatal) || error?.code === 'PROTOCOL_SEQUENCE_TIMEOUT' || RETRYABLE.includes(error?.code)
}

async function connect (login, session, deadline) {
  if (session.tls && isIP(login.host)) {
    throw new ConfigurationError(
      `host is ${JSON.stringify(login.host)}, and mysql2 verifies a certificate's name only against a host's name. ` +
      'Give the name that the certificate carries.'
    )
  }
  const connection = new MySqlConnection(login, session)
  await connection.open(deadline)
  return connection
}

function isRetryable (error) {
  // a connection that ends during the handshake; what is wrong with a certificate comes without a system call
  if (error.code === 'HANDSHAKE_SSL_ERROR') return Boolean(error.syscall) || /disconnected before/.test(error.message)
  return RETRYABLE.includes(error.code)
}

function isLoginRefused (error) {
  return ['ER_ACCESS_DENIED_ERROR', 'ER_ACCESS_DENIED_NO_PASSWORD_ERROR'].includes(error.code)
}

module.exports = { connect, isRetryable, isLoginRefused }
