'use strict'

const { AsyncLocalStorage } = require('node:async_hooks')
const { setTimeout: sleep } = require('node:timers/promises')
const { isDeepStrictEqual } = require('node:util')
const { Attempts, Deadline } = require('./attempts.cjs')
const { Credentials } = require('./credentials.cjs')
const { ConnectionUnavailable } = require('./errors.cjs')
const { Settings } = require('./settings.cjs')
const { certificateAuthorities } = require('./tls.cjs')

// A flow that a NAT gateway, a Network Load Balancer or Lambda's own network forgot (after 350 s) looks alive.
const CHECK_TIMEOUT_MS = 2000
// A finished answer waits so long for its connection to be cleaned, or as many times as long as its block took to begin:
// what takes longer is closed, so that no answer is kept from its caller past Lambda's own timeout.
const COURTESY_MS = 200
const COURTESY_ROUND_TRIPS = 6
// Between two invocations a session is given so long by the server: a frozen environment's is gone before it is missed,
// and one that is thawed later opens another.
const IDLE_SECONDS = 5
const CONNECT_TIMEOUT_MS = 5000
// How often an environment looks how full the server is; drawn anew each time, so that they don't look together.
const LOOK_MS = [4000, 12_000]
// Lambda's longest timeout (Lambda quotas), where the function's own is not known.
const LONGEST_TIMEOUT_SECONDS = 900

/** The one connection that an environment holds with one login: whose turn it is, and which database keeps it. */
class Slot {
  turn = Promise.resolve()
  within = new AsyncLocalStorage()
  holder
  latest
}

const slots = new Map()

/** Describe a database: described as before it is the same one, and all with one login share one connection. */
function databaseOf (options) {
  const settings = new Settings(options)
  const { engine, host, port, database, user, secretArn } = settings
  const login = JSON.stringify([engine, host, port, database, user, secretArn])
  const slot = slots.get(login) ?? new Slot()
  slots.set(login, slot)
  if (!isDeepStrictEqual(slot.latest?.settings, settings)) slot.latest = { settings, database: new Database(settings, slot) }
  return slot.latest.database
}

/** One connection per execution environment: opened on first use, verified, kept, healed, given back. */
class Database {
  #settings
  #credentials
  #driver
  #tls
  #connection
  #slot
  #nextLook = 0
  #full = false
  #roundTrip = 0

  constructor (settings, slot) {
    this.#settings = settings
    this.#slot = slot
    this.#credentials = new Credentials(this.#settings)
    this.#driver = require(this.#settings.isPostgreSql ? './postgresql.cjs' : './mysql.cjs')
  }

  /**
   * Call `work(client)` with a live connection and return what it returns. Uses at the same time take turns. What the
   * work leaves open (a transaction, session state) is undone, never inherited by the next.
   */
  async use (context, work) {
    // else Lambda would wait for the kept connection to close, until the function's timeout
    if (context) context.callbackWaitsForEmptyEventLoop = false
    const deadline = new Deadline(context, this.#settings.functionTimeout)
    if (deadline.remaining() <= 0) {
      throw new ConnectionUnavailable("the database was not asked, since the invocation's time is over", 0)
    }
    const { within: around } = this.#slot
    if (around.getStore()?.isOpen) {
      throw new ConnectionUnavailable("this invocation already uses the environment's one connection: pass its client on", 0)
    }
    const done = await this.#ownTurn(deadline)
    try {
      this.#takeOver()
      const connection = await this.#live(deadline)
      const block = { isOpen: true }
      try {
        return await around.run(block, () => work(connection.client))
      } finally {
        block.isOpen = false
        await this.#leave(connection, deadline)
      }
    } finally {
      done()
    }
  }

  /** Close the connection; the next use opens another. */
  async close () {
    const connection = this.#connection
    this.#connection = undefined
    await connection?.close()
  }

  async #ownTurn (deadline) {
    const before = this.#slot.turn
    let done
    const ended = new Promise((resolve) => { done = resolve })
    this.#slot.turn = before.then(() => ended)
    if (!(await within(deadline.remaining(), before.then(() => true)))) {
      done()
      throw new ConnectionUnavailable('another use of this connection has not ended, and the time is over', 0)
    }
    return done
  }

  #takeOver () {
    const { holder } = this.#slot
    if (holder && holder !== this) holder.#drop()
    this.#slot.holder = this
  }

  async #live (deadline) {
    if (this.#connection) {
      // what happened to the socket while the environment was frozen is delivered by the event loop, TLS needs two turns
      for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate)
      const connection = this.#connection
      const asked = performance.now()
      // as much is left for another connection
      const patience = Math.min(CHECK_TIMEOUT_MS, deadline.remaining() / 2)
      if (connection.lost || !(await within(patience, connection.begin(deadline)))) this.#drop()
      else this.#roundTrip = performance.now() - asked
    }
    try {
      this.#connection ??= await this.#open(deadline)
    } catch (error) {
      this.#credentials.inVain()
      throw error
    }
    return this.#connection
  }

  async #open (deadline) {
    const { host } = this.#settings
    const attempts = new Attempts(host ?? 'the database', deadline)
    for (;;) {
      const login = await this.#credentials.login(deadline)
      const asked = performance.now()
      try {
        const connection = await this.#driver.connect(login, this.#session(login, deadline), deadline)
        this.#roundTrip = performance.now() - asked
        this.#credentials.accepted()
        return connection
      } catch (error) {
        if (this.#driver.isLoginRefused(error)) {
          const pause = this.#credentials.pauseAfterRefusal(deadline)
          if (pause === undefined) throw error
          await sleep(pause)
        } else if (this.#driver.isRetryable(error)) {
          this.#credentials.unreachable()
          await attempts.failed(error)
        } else {
          throw error
        }
      }
    }
  }

  #session (login, deadline) {
    const { proxy, tlsCa, driver, functionTimeout } = this.#settings
    // the drivers keep their own state (parsed certificates) with this object
    this.#tls ??= tlsCa && { ca: certificateAuthorities(tlsCa), rejectUnauthorized: true }
    return {
      tls: this.#tls,
      timeout: Math.max(100, Math.min(CONNECT_TIMEOUT_MS, deadline.remaining())),
      // Within an invocation a session may idle for longer than the function may run, so that the server never ends a
      // live one; between two, briefly. Behind RDS Proxy nothing is SET, since that pins.
      idleSeconds: proxy ? undefined : { within: Math.ceil(functionTimeout ?? LONGEST_TIMEOUT_SECONDS) + 1, between: IDLE_SECONDS },
      options: driver
    }
  }

  /** Clean the connection and keep it, or close it: nothing that goes wrong here is the handler's error. */
  async #leave (connection, deadline) {
    const slow = Math.min(COURTESY_ROUND_TRIPS * this.#roundTrip, CHECK_TIMEOUT_MS, deadline.remaining())
    if (!connection.lost && (await within(Math.max(COURTESY_MS, slow), this.#cleaned(connection)))) return
    this.#drop()
  }

  async #cleaned (connection) {
    await connection.clean()
    if (connection.lost || (await this.#serverIsFull(connection))) return false
    await connection.end()
    return true
  }

  async #serverIsFull (connection) {
    const { proxy, maxConnections, utilization } = this.#settings
    if (proxy) return false
    if (Date.now() >= this.#nextLook || this.#full) {
      const [used, limit] = await connection.usage(maxConnections)
      this.#full = used > Math.floor(limit * utilization)
      this.#nextLook = Date.now() + LOOK_MS[0] + Math.random() * (LOOK_MS[1] - LOOK_MS[0])
    }
    return this.#full
  }

  #drop () {
    this.close().catch(() => {})
  }
}

/** Return what the promise becomes, or false when it fails or takes longer. */
async function within (milliseconds, promise) {
  let timer
  const late = new Promise((resolve) => { timer = setTimeout(resolve, Math.max(0, milliseconds), false) })
  try {
    return await Promise.race([promise.catch(() => false), late])
  } finally {
    clearTimeout(timer)
  }
}

module.exports = { Database, Slot, databaseOf }
