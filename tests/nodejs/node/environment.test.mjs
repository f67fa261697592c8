// Execution environments as processes of their own, with a handler of each module kind: frozen, killed, left alone.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { closeAll, connect, engine, host, isPostgreSql, kill, password, port, schema, sessions, until, user } from './support.mjs'

const variables = {
  BREAKWATER_ENGINE: engine, BREAKWATER_HOST: host, BREAKWATER_PORT: port, BREAKWATER_USER: user, BREAKWATER_DATABASE: schema,
  BREAKWATER_MAX_CONNECTIONS: 30, BREAKWATER_UTILIZATION: 0.8, BREAKWATER_FUNCTION_TIMEOUT: 30, TEST_PASSWORD: password
}
const SESSION = isPostgreSql ? 'SELECT pg_backend_pid() AS id' : 'SELECT CONNECTION_ID() AS id'
const children = []

function start (handler) {
  const child = spawn(process.execPath, ['environment.mjs', handler], { env: { ...process.env, ...variables }, stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    child,
    send: (statement, seconds) => child.stdin.write(JSON.stringify({ statement, seconds }) + '\n'),
    receive: async () => JSON.parse((await lines.next()).value),
    async session () {
      this.send(SESSION)
      const answer = await this.receive()
      assert.equal(answer.error, undefined)
      assert.equal(answer.waits, false)
      return Number(answer.rows[0].id)
    }
  }
}

after(() => {
  for (const child of children) child.kill('SIGKILL')
  closeAll()
})

for (const kind of ['mjs', 'cjs']) {
  test(`a handler in .${kind} keeps its connection`, async () => {
    const environment = start(`./handlers/orders.${kind}`)
    const first = await environment.session()
    assert.equal(await environment.session(), first)
  })

  test(`a .${kind} environment whose session ended while it was frozen`, async () => {
    const environment = start(`./handlers/orders.${kind}`)
    let last = await environment.session()
    for (let round = 0; round < 5; round++) {
      environment.child.kill('SIGSTOP')
      if (round === 0 && kind === 'mjs') await until(async () => !(await sessions()).includes(last), 'ended by the server itself')
      else await kill(last)
      await until(async () => !(await sessions()).includes(last), 'the session ended')
      environment.send(SESSION)
      await sleep(20)
      environment.child.kill('SIGCONT')
      const { rows, error } = await environment.receive()
      assert.equal(error, undefined)
      assert.notEqual(Number(rows[0].id), last)
      last = Number(rows[0].id)
    }
  })
}

test('an environment that is gone leaves no session', async () => {
  const environment = start('./handlers/orders.mjs')
  const id = await environment.session()
  environment.child.kill('SIGKILL')
  await until(async () => !(await sessions()).includes(id), 'the session ended')
})

test('an environment that is killed in a statement that waits leaves no session', async () => {
  const holder = await connect()
  for (const statement of ['DROP TABLE IF EXISTS held', 'CREATE TABLE held (id INT PRIMARY KEY)', 'INSERT INTO held VALUES (1)',
    isPostgreSql ? 'BEGIN' : 'START TRANSACTION', 'UPDATE held SET id = 1']) await holder.query(statement)
  const seconds = 1.5
  for (const statement of ['UPDATE held SET id = 1', isPostgreSql ? 'SELECT pg_sleep(60)' : 'SELECT SLEEP(60)']) {
    const environment = start('./handlers/orders.mjs')
    const id = await environment.session()
    environment.send(statement, seconds)
    await sleep(seconds * 1000)
    environment.child.kill('SIGKILL')
    await until(async () => !(await sessions()).includes(id), 'the session ended')
  }
  await holder.query('ROLLBACK')
})

test('nothing but the connection keeps the event loop, and without it the process ends', async () => {
  const program = `
    import { database } from 'breakwater-runtime'
    const own = database({ password: process.env.TEST_PASSWORD })
    await own.use({ getRemainingTimeInMillis: () => 20_000 }, (client) => client.query('SELECT 1'))
    const kept = process.getActiveResourcesInfo().filter((name) => !name.startsWith('Pipe'))
    if (kept.join() !== 'TCPSocketWrap') throw new Error(kept.join())
    await own.close()
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env: { ...process.env, ...variables }, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const started = Date.now()
  const [code] = await once(child, 'exit')
  assert.equal(code, 0)
  assert.ok(Date.now() - started < 10_000)
})
