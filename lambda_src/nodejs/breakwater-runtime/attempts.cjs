'use strict'

const { setTimeout: sleep } = require('node:timers/promises')
const { ConnectionUnavailable } = require('./errors.cjs')

// what is left to the handler when the runtime gives up: to answer, to log, to put a message back
const MARGIN_MS = 500
// without a context and without the function's timeout
const DEFAULT_MS = 15_000
const BASE_MS = 10
const CAP_MS = 250
// a refusal costs the server as much as a login where it comes after one (PostgreSQL's reserved slots): after a slow one
// the pause grows to so many times what it took, within a second
const CAP_TIMES_TAKEN = 10
const LONGEST_CAP_MS = 1000

/** A point in time, a margin before the invocation's end. */
class Deadline {
  #at

  constructor (context, functionTimeout) {
    // before the context is asked: a process that stands still in between ends its waits too soon, not too late
    const now = performance.now()
    const left = context?.getRemainingTimeInMillis?.() ?? (functionTimeout ? functionTimeout * 1000 : DEFAULT_MS)
    this.#at = now + left - MARGIN_MS
  }

  /** Return the milliseconds left, negative once it is past. */
  remaining () {
    return this.#at - performance.now()
  }
}

/** Attempts with decorrelated jitter (AWS Architecture Blog, "Exponential Backoff And Jitter") until a deadline. */
class Attempts {
  #target
  #deadline
  #started = performance.now()
  #begun = this.#started
  #pause = BASE_MS
  #reasons = new Map()
  #count = 0

  constructor (target, deadline) {
    this.#target = target
    this.#deadline = deadline
  }

  /** Note a failure and wait until the next attempt is due; throw once no time is left for it. */
  async failed (error) {
    this.#count++
    const reason = error.code ?? error.message
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1)
    const taken = performance.now() - this.#begun
    const cap = Math.min(LONGEST_CAP_MS, Math.max(CAP_MS, CAP_TIMES_TAKEN * taken))
    this.#pause = Math.min(cap, BASE_MS + Math.random() * (this.#pause * 3 - BASE_MS))
    const left = this.#deadline.remaining()
    if (left < this.#pause) {
      // the last attempt is made while there is as much time as this one took
      this.#pause = left - taken
      if (this.#pause < BASE_MS) throw this.#exhausted(error)
    }
    await sleep(this.#pause)
    this.#begun = performance.now()
  }

  #exhausted (error) {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1)
    const tried = [...this.#reasons].map(([reason, count]) => `${count} times ${reason}`).join('; ')
    return new ConnectionUnavailable(
      `${this.#target}: no connection after ${this.#count} attempt${this.#count > 1 ? 's' : ''} in ${seconds} s, ` +
      `the invocation's time is over: ${tried}`,
      this.#count,
      error
    )
  }
}

module.exports = { Attempts, Deadline }
