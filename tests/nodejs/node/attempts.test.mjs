// How long an attempt waits for the next, by a clock that the test moves.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { mock, test } from 'node:test'

const pauses = []
let now = 1000
mock.method(performance, 'now', () => now)
const require = createRequire(import.meta.resolve('breakwater-runtime'))
mock.method(require('node:timers/promises'), 'setTimeout', async milliseconds => {
  pauses.push(milliseconds)
  now += milliseconds
})
const { Attempts, Deadline } = require('./attempts.cjs')

for (const [taken, longest] of [[0, 250], [20, 250], [50, 500], [100, 1000], [5000, 1000]]) {
  test(`after a refusal that took ${taken} ms the pauses are at most ${longest} ms`, async () => {
    pauses.length = 0
    const attempts = new Attempts('the database', new Deadline(undefined, 1e6))
    for (let attempt = 0; attempt < 200; attempt++) {
      now += taken
      await attempts.failed(new Error('refused'))
    }
    assert.ok(Math.abs(Math.max(...pauses) - longest) < 1e-6, `${Math.max(...pauses)} ms`)
    assert.ok(Math.min(...pauses) >= 10, `${Math.min(...pauses)} ms`)
  })
}

test('the last attempt is made while there is time for one', async () => {
  for (let seconds = 3; seconds < 30; seconds++) {
    const deadline = new Deadline(undefined, seconds)
    const attempts = new Attempts('the database', deadline)
    await assert.rejects(async () => {
      for (;;) {
        now += 100
        await attempts.failed(new Error('refused'))
      }
    }, { code: 'CONNECTION_UNAVAILABLE' })
    assert.ok(deadline.remaining() > -100 && deadline.remaining() < 110, `${deadline.remaining()} ms`)
  }
})

test('a deadline is never too late, where the process stands still behind the answer of the context', () => {
  const stalled = { getRemainingTimeInMillis: () => { now += 2000; return 10_000 } }
  assert.ok(new Deadline(stalled).remaining() <= 7500)
})
