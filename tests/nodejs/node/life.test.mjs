// The life of a connection, on MariaDB and on PostgreSQL.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionLost, ConnectionUnavailable, TransactionAborted, database as described } from 'breakwater-runtime'
import { Network, closeAll, closeDatabases, connect, context, engine, hold, isPostgreSql, kill, login, make, neighbour, number, rows, sessionId, sessions, until } from './support.mjs'

let plain
before(async () => {
  plain = await connect()
  await plain.query('DROP TABLE IF EXISTS notes')
  await plain.query('CREATE TABLE notes (text VARCHAR(80))')
})
beforeEach(() => plain.query('DELETE FROM notes'))
afterEach(closeDatabases)
after(closeAll)

const notes = async () => rows(await plain.query('SELECT text FROM notes ORDER BY text')).map((row) => row.text)
const insert = (client, text) => client.query(`INSERT INTO notes VALUES ('${text}')`)

test('one connection, kept over invocations', async () => {
  const database = make()
  const own = context()
  const first = await database.use(own, sessionId)
  assert.equal(own.callbackWaitsForEmptyEventLoop, false)
  assert.equal(await database.use(context(), sessionId), first)
  await database.close()
  await until(async () => !(await sessions()).includes(first), 'the session ended')
  assert.notEqual(await database.use(context(), sessionId), first)
})

test('what a handler leaves open is undone, on the same connection', async () => {
  const database = make()
  const left = isPostgreSql
    ? ['SET search_path TO elsewhere', 'CREATE TEMPORARY TABLE mine (id INT)', 'SELECT pg_advisory_lock(7)']
    : ['SET @mine = 1', 'CREATE TEMPORARY TABLE mine (id INT)', 'USE information_schema', 'SET SESSION sql_mode = ""']
  const state = isPostgreSql
    ? "SELECT current_setting('search_path') AS a, to_regclass('mine') AS b, current_setting('idle_session_timeout') AS c, (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory') AS d"
    : 'SELECT @mine AS a, DATABASE() AS b, @@sql_mode AS c, @@wait_timeout AS d, @@character_set_client AS e'
  const clean = await database.use(context(), async (client) => [await sessionId(client), rows(await client.query(state))])
  const failed = database.use(context(), async (client) => {
    for (const statement of [isPostgreSql ? 'BEGIN' : 'START TRANSACTION', "INSERT INTO notes VALUES ('lost')"]) await client.query(statement)
    throw new Error('from the handler')
  })
  await assert.rejects(failed, { message: 'from the handler' })
  await database.use(context(), async (client) => { for (const statement of left) await client.query(statement) })
  await database.use(context(), async (client) => {
    await client.query(isPostgreSql ? 'BEGIN' : 'SET autocommit = 0')
    await insert(client, 'lost, too')
  })
  const now = await database.use(context(), async (client) => [await sessionId(client), rows(await client.query(state))])
  assert.deepEqual(now, clean)
  assert.deepEqual(await notes(), [])
})

if (isPostgreSql) {
  test('a server that lacks a setting is served without it', async () => {
    const network = await new Network().start()
    network.hides = ['idle_session_timeout', 'client_connection_check_interval'] // as PostgreSQL 13
    try {
      const database = make({ host: '127.0.0.1', port: network.port })
      const state = "SELECT current_setting('idle_in_transaction_session_timeout') AS a, current_setting('search_path') AS b, current_setting('statement_timeout') <> '0' AS c"
      const kept = new Set()
      for (let round = 0; round < 3; round++) {
        await database.use(context(), async (client) => {
          kept.add(await sessionId(client))
          assert.deepEqual(rows(await client.query(state)), [{ a: '31s', b: '"$user", public', c: true }])
          await client.query('SET search_path TO elsewhere')
        })
      }
      assert.equal(kept.size, 1)
    } finally {
      network.stop()
    }
  })
}

test('a session that was ended between invocations is replaced without a word', async () => {
  const database = make()
  for (let round = 0; round < 3; round++) {
    const id = await database.use(context(), sessionId)
    await kill(id)
    await until(async () => !(await sessions()).includes(id), 'the session ended')
    assert.notEqual(await database.use(context(), sessionId), id)
  }
})

test('a session that is ended within a transaction is an error, and nothing is written', async () => {
  const database = make()
  const seen = []
  const work = async (client) => {
    await client.query(isPostgreSql ? 'BEGIN' : 'START TRANSACTION')
    await insert(client, 'first')
    const id = await sessionId(client)
    await kill(id)
    await until(async () => !(await sessions()).includes(id), 'the session ended')
    for (const statement of ["INSERT INTO notes VALUES ('second')", 'COMMIT']) {
      await client.query(statement).catch((error) => seen.push(error))
    }
  }
  await database.use(context(), work)
  assert.deepEqual(seen.map((error) => [error.constructor, error.code]), Array(2).fill([ConnectionLost, 'CONNECTION_LOST']))
  assert.ok(seen[0].cause instanceof Error)
  assert.equal(seen[1].sent, false)
  assert.deepEqual(await notes(), [])
  await database.use(context(), (client) => insert(client, 'healed'))
  assert.deepEqual(await notes(), ['healed'])
})

test('a statement whose reply was lost is not sent again', async () => {
  const network = await new Network().start()
  const database = make({ port: network.port })
  network.losesReplyOf = 'once'
  const failed = database.use(context(), (client) => insert(client, 'once'))
  await assert.rejects(failed, (error) => error instanceof ConnectionLost && error.sent)
  assert.deepEqual(await notes(), ['once'])
  await database.use(context(), (client) => insert(client, 'next'))
  assert.deepEqual(await notes(), ['next', 'once'])
  await database.close()
  network.stop()
})

test('a full server is waited for, in every invocation anew', async () => {
  const database = make()
  const held = await hold(Infinity)
  await assert.rejects(database.use(context(1.5), sessionId), (error) => {
    assert.ok(error instanceof ConnectionUnavailable)
    assert.match(error.message, isPostgreSql ? /127\.0\.0\.1: no connection after \d+ attempts .* times 53300/ : /times ER_CON_COUNT_ERROR/)
    assert.ok(error.attempts > 2)
    assert.equal(error.cause.code, isPostgreSql ? '53300' : 'ER_CON_COUNT_ERROR')
    return true
  })
  const later = database.use(context(15), sessionId)
  // serverless-mysql's fifty tries last two seconds
  await sleep(3000)
  await held.release()
  assert.ok((await later) > 0)
})

test('above the utilization the connection is given back, whoever holds the others', async () => {
  const database = make()
  const others = await hold(23, neighbour)
  await database.use(context(), sessionId)
  await until(async () => (await sessions()).length === 1, 'none but the test itself')
  await others.release()
  const roomy = make({ maxConnections: 1000 })
  const kept = await roomy.use(context(), sessionId)
  assert.equal(await roomy.use(context(), sessionId), kept)
})

test('a live session is not ended, however long it idles and however full the server is', async () => {
  const waiting = make()
  const others = await hold(22, neighbour)
  const written = waiting.use(context(), async (client) => {
    await client.query(isPostgreSql ? 'BEGIN' : 'START TRANSACTION')
    await insert(client, 'first')
    await sleep(4500)
    await insert(client, 'second')
    await client.query('COMMIT')
  })
  await sleep(4000)
  for (let n = 0; n < 3; n++) {
    await make().use(context(), async (client) => {
      await client.query('SELECT 1')
      // what the peers' own clean-up would end others' sessions with
      await (client.clean?.() ?? client.end())
    }).catch((error) => assert.equal(error.constructor, ConnectionLost))
  }
  await written
  assert.deepEqual(await notes(), ['first', 'second'])
  await others.release()
})

test('the server ends a session that has idled for longer than the function may run', async () => {
  const database = make({ functionTimeout: 1 })
  const lost = database.use(context(), async (client) => {
    const id = await sessionId(client)
    await until(async () => !(await sessions()).includes(id), 'the session ended')
    await client.query('SELECT 1')
  })
  await assert.rejects(lost, ConnectionLost)
})

test('between two invocations the server ends a session after seconds, whatever the function\'s timeout', async () => {
  const database = make({ functionTimeout: 900 })
  const id = await database.use(context(), sessionId)
  assert.equal(await database.use(context(), async (client) => {
    // longer than between invocations
    await sleep(6000)
    return sessionId(client)
  }), id)
  await until(async () => !(await sessions()).includes(id), 'the session ended', 10)
  assert.notEqual(await database.use(context(), sessionId), id)
})

test('through RDS Proxy nothing is SET', async () => {
  const statement = isPostgreSql ? 'SHOW idle_session_timeout' : 'SELECT @@wait_timeout = @@GLOBAL.wait_timeout AS same'
  const [answer] = rows(await make({ proxy: true }).use(context(), (client) => client.query(statement)))
  assert.equal(String(Object.values(answer)[0]), isPostgreSql ? '0' : '1')
})

test('a half-open connection is noticed before the first statement', async () => {
  const network = await new Network().start()
  const database = make({ port: network.port })
  const id = await database.use(context(), sessionId)
  network.blackHole()
  assert.notEqual(await database.use(context(5), sessionId), id)
  await database.close()
  network.stop()
})

test('one connection for an environment, however often and wherever it is described', async () => {
  const common = { engine, ...login, functionTimeout: 30 }
  for (let time = 0; time < 3; time++) {
    // within the handler, as one should not; and with a function made anew, which is another description
    const own = described(common)
    await own.use(context(), sessionId)
    const driver = isPostgreSql ? { application_name: `shop-${time}` } : { typeCast: (field, next) => next() }
    await Promise.all([own, described({ ...common, driver }), described(common)].map((one) => one.use(context(), sessionId)))
    // the tests' own is one
    await until(async () => (await sessions()).length <= 2, 'one session')
  }
  const began = performance.now()
  await assert.rejects(described(common).use(context(), () => described(common).use(context(), sessionId)), /already uses/)
  assert.ok(performance.now() - began < 5000)
  const [one, two] = [await described(common).use(context(), sessionId), await described({ ...common }).use(context(), sessionId)]
  assert.equal(one, two)
  await described(common).close()
})

test('a finished answer doesn\'t wait for a dead network', async () => {
  for (const seconds of [1.2, 12]) {
    const network = await new Network().start()
    const database = make({ port: network.port })
    await database.use(context(), sessionId)
    const began = performance.now()
    assert.equal(await database.use(context(seconds), async (client) => {
      await client.query('SELECT 1')
      network.blackHole()
      return 'answer'
    }), 'answer')
    const took = performance.now() - began
    assert.ok(took < 1000, `after ${took} ms, with ${seconds} s`)
    assert.ok(await database.use(context(), sessionId))
    await database.close()
    network.stop()
  }
})

test('with little time left a look leaves some for another connection', async () => {
  const network = await new Network().start()
  const database = make({ port: network.port })
  const id = await database.use(context(), sessionId)
  await assert.rejects(database.use(context(0.4), sessionId), { code: 'CONNECTION_UNAVAILABLE' })
  assert.equal(await database.use(context(), sessionId), id)
  network.blackHole()
  const began = performance.now()
  assert.notEqual(await database.use(context(1.5), sessionId), id)
  assert.ok(performance.now() - began < 1400)
  await database.close()
  network.stop()
})

test('a server that is away for a while is waited for', async () => {
  const network = await new Network().start()
  const database = make({ port: network.port })
  await database.use(context(), sessionId)
  network.stop()
  await sleep(50)
  const later = database.use(context(), sessionId)
  await sleep(1000)
  const back = await new Network().start(network.port)
  assert.ok((await later) > 0)
  await database.close()
  back.stop()
})

test('a wrong password and an unknown database are told at once', async () => {
  const refused = isPostgreSql ? { code: '28P01' } : { code: 'ER_ACCESS_DENIED_ERROR' }
  await assert.rejects(make({ password: 'not it' }).use(context(), sessionId), refused)
  await assert.rejects(make({ database: 'nowhere' }).use(context(), sessionId), (error) => !(error instanceof ConnectionUnavailable))
})

test('uses at the same time take turns, and the one that gets none says so', async () => {
  const database = make()
  const ids = await Promise.all(Array.from({ length: 5 }, () => database.use(context(), sessionId)))
  assert.equal(new Set(ids).size, 1)
  const long = database.use(context(), () => sleep(1000))
  const late = database.use(context(0.7), sessionId)
  await assert.rejects(late, { code: 'CONNECTION_UNAVAILABLE', message: /another use of this connection has not ended/ })
  await long
  assert.equal(await database.use(context(), sessionId), ids[0])
})

test('errors of statements are the driver\'s own, and the connection stays', async () => {
  const database = make()
  const id = await database.use(context(), sessionId)
  const code = isPostgreSql ? '42P01' : 'ER_NO_SUCH_TABLE'
  await assert.rejects(database.use(context(), (client) => client.query('SELECT * FROM nowhere')), { code })
  assert.equal(await database.use(context(), sessionId), id)
})

test('options of the driver reach the handler\'s statements, not the runtime\'s', async () => {
  const asked = isPostgreSql ? { statement_timeout: 1234 } : { rowsAsArray: true, multipleStatements: true }
  const database = make({ maxConnections: undefined, driver: asked })
  const statement = isPostgreSql ? 'SHOW statement_timeout' : 'SELECT 1 AS one'
  const seen = await database.use(context(), async (client) => [rows(await client.query(statement)), await sessionId(client)])
  assert.deepEqual(seen[0], isPostgreSql ? [{ statement_timeout: '1234ms' }] : [[1]])
  await database.use(context(), (client) => client.query(isPostgreSql ? 'SELECT 1; BEGIN; SELECT 2' : 'SELECT 1; START TRANSACTION; SELECT 2'))
  if (!isPostgreSql) assert.equal(number(await database.use(context(), (client) => client.query('SELECT @@in_transaction'))), 0)
  assert.equal(await database.use(context(), sessionId), seen[1])
})

test('what was not awaited ends before the connection is cleaned', async () => {
  const database = make()
  const id = await database.use(context(), async (client) => {
    client.query(isPostgreSql ? 'SELECT pg_sleep(0.3)' : 'SELECT SLEEP(0.3)')
    return sessionId(client)
  })
  assert.equal(number(await database.use(context(), (client) => client.query('SELECT 5'))), 5)
  assert.equal(await database.use(context(), sessionId), id)
  await database.use(context(), (client) => { client.query(isPostgreSql ? 'BEGIN' : 'START TRANSACTION') })
  assert.notEqual(await database.use(context(), sessionId), id)
})


test('the server\'s limits follow the invocation\'s, also for a statement that begins late', async () => {
  const database = make()
  const question = isPostgreSql ? "SELECT extract(epoch FROM current_setting('statement_timeout')::interval)" : 'SELECT @@max_statement_time'
  const held = async (client) => number(await client.query(question))
  for (const seconds of [20, 8]) {
    const left = await database.use(context(seconds), held)
    assert.ok(left > 0 && left <= seconds - 0.5, `${left}`)
  }
  if (isPostgreSql) return
  const late = await database.use(context(5), async (client) => {
    await sleep(1000)
    return held(client)
  })
  assert.ok(late <= 3.6, `${late}`)
  const own = await database.use(context(5), async (client) => {
    await client.query('SET SESSION max_statement_time=0.7')
    await sleep(500)
    return held(client)
  })
  assert.equal(own, 0.7)
})

const ways = {
  query: (client, statement) => client.query(statement),
  stream: (client, statement) => client.getClient().query(statement).stream().toArray(),
  prepare: async (client, statement) => (await client.getClient().promise().prepare(statement)).execute()
}
for (const [way, send] of Object.entries(ways).slice(0, isPostgreSql ? 1 : undefined)) test(`after a deadlock that was swallowed nothing is applied in half (${way})`, async () => {
  await plain.query('DROP TABLE IF EXISTS halves')
  await plain.query('CREATE TABLE halves (id INT PRIMARY KEY, text VARCHAR(80))')
  await plain.query("INSERT INTO halves VALUES (1, ''), (2, '')")
  const database = make()
  const other = await connect()
  const begin = isPostgreSql ? 'BEGIN' : 'START TRANSACTION'
  const touch = (id) => `UPDATE halves SET text = 'touched' WHERE id = ${id}`
  await other.query(begin)
  // the victim is whoever has done less, or has waited for less long
  for (let id = 10; id < 60; id++) await other.query(`INSERT INTO halves VALUES (${id}, 'other')`)
  await other.query(touch(2))
  await database.use(context(), async (client) => {
    await client.query(begin)
    await client.query("INSERT INTO halves VALUES (3, 'first half')")
    await client.query(touch(1))
    if (isPostgreSql) await client.query("SET LOCAL deadlock_timeout = '50ms'").catch(() => {})
    const waiting = other.query(touch(1)).catch(() => {})
    await sleep(50)
    const failed = await send(client, touch(2)).then(() => undefined, (error) => error)
    const statement = "INSERT INTO halves VALUES (4, 'second half')"
    if (!failed) {
      // the other was the victim
      await waiting
      return
    }
    await assert.rejects(async () => send(client, statement), (error) => error instanceof TransactionAborted || error.code === '25P02')
    await assert.rejects(client.query('COMMIT'), TransactionAborted)
    await client.query('ROLLBACK')
    await client.query(begin)
    await client.query("INSERT INTO halves VALUES (5, 'anew')")
    await client.query('COMMIT')
    await waiting
  })
  await other.query('ROLLBACK').catch(() => {})
  await other.close()
  assert.deepEqual(rows(await plain.query('SELECT id FROM halves WHERE id IN (3, 4, 5)')).map((row) => row.id), [5])
})

if (isPostgreSql) {
  test('a COMMIT that the server answers with a rollback is told, however it is sent', async () => {
    const inCallback = (client, text) => new Promise((resolve, reject) => {
      client.query(text, (error, result) => (error ? reject(error) : resolve(result)))
    })
    await make().use(context(), async (client) => {
      for (const commit of [() => client.query('COMMIT; SELECT 1'), () => inCallback(client, 'COMMIT')]) {
        await client.query('BEGIN')
        await insert(client, 'lost')
        await assert.rejects(inCallback(client, 'SELECT * FROM nowhere'), { code: '42P01' })
        await assert.rejects(commit(), TransactionAborted)
      }
      assert.equal(number(await inCallback(client, 'SELECT 7')), 7)
    })
    assert.deepEqual(await notes(), [])
  })
} else {
  test('what mysql2 offers beside query() is undone and told as that is', async () => {
    const network = await new Network().start()
    const database = make({ port: network.port })
    const mine = (client) => client.query('SELECT @mine AS mine')
    await database.use(context(), async (client) => {
      const promised = client.getClient().promise()
      await (await promised.prepare('SET @mine = 1')).execute([])
      await promised.beginTransaction()
      await promised.query("INSERT INTO notes VALUES ('left open')")
    })
    assert.deepEqual((await database.use(context(), mine)).map((row) => row.mine), [null])
    assert.deepEqual(await notes(), [])
    network.losesReplyOf = 'COMMIT'
    await database.use(context(), async (client) => {
      const promised = client.getClient().promise()
      await promised.beginTransaction()
      const [committed, prepared] = [promised.commit(), promised.prepare('SELECT 1')]
      prepared.catch(() => {})
      await assert.rejects(committed, { code: 'CONNECTION_LOST' })
      for (const one of [prepared, promised.prepare('SELECT 2')]) await assert.rejects(one, { code: 'CONNECTION_LOST', sent: false })
    })
    await database.close()
    network.stop()
  })

  test('a stream whose connection ends is told, one that was given up is quiet, and none begins on a dead connection', async () => {
    const network = await new Network().start()
    const database = make({ port: network.port })
    const stream = (client, rows) => client.getClient().query(`SELECT seq FROM seq_1_to_${rows}`).stream()
    await database.use(context(), (client) => { stream(client, 100_000_000) })
    network.losesReplyOf = 'seq_1_to_77'
    await database.use(context(), async (client) => {
      await assert.rejects(stream(client, 77).toArray(), (error) => error instanceof ConnectionLost && error.sent)
      assert.throws(() => stream(client, 78), (error) => error instanceof ConnectionLost && !error.sent)
    })
    await database.close()
    network.stop()
  })
}

test('a statement that fails within a transaction, and did not end it, leaves it open', async () => {
  await make().use(context(), async (client) => {
    await client.query(isPostgreSql ? 'BEGIN' : 'START TRANSACTION')
    await insert(client, 'kept')
    if (isPostgreSql) await client.query('SAVEPOINT one')
    await assert.rejects(client.query('SELECT * FROM nowhere'))
    if (isPostgreSql) await client.query('ROLLBACK TO one')
    await client.query('COMMIT')
  })
  assert.deepEqual(await notes(), ['kept'])
})
