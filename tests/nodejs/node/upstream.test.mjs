// What serverless-mysql and serverless-postgres do by themselves, and what the layer makes of it: were they to change,
// a guard could go.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Network, closeAll, connect, hold, isPostgreSql, kill, login, neighbour, rows, sessions, until } from './support.mjs'

const require = createRequire(import.meta.url)
let plain
before(async () => {
  plain = await connect()
  await plain.query('DROP TABLE IF EXISTS notes')
  await plain.query('CREATE TABLE notes (text VARCHAR(80))')
})
beforeEach(() => plain.query('DELETE FROM notes'))
after(closeAll)

const notes = async () => rows(await plain.query('SELECT text FROM notes ORDER BY text')).map((row) => row.text)

if (isPostgreSql) {
  const Client = require('serverless-postgres')

  test('serverless-postgres sends a statement again whose reply was lost', async () => {
    const network = await new Network().start()
    const peer = new Client({ ...login, port: network.port, delayMs: 2 })
    await peer.connect()
    network.losesReplyOf = 'once'
    setTimeout(() => { network.losesReplyOf = undefined }, 200)
    const lost = peer.query("INSERT INTO notes VALUES ('once')").catch((error) => error)
    await lost
    assert.ok((await notes()).length > 1)
    await peer.end().catch(() => {})
    network.stop()
  })
} else {
  const peerOf = (options = {}, port = login.port) => require('serverless-mysql')({ config: { ...login, port }, ...options })

  test('serverless-mysql sends a statement again whose reply was lost', async () => {
    const network = await new Network().start()
    const peer = peerOf({}, network.port)
    await peer.connect()
    network.losesReplyOf = 'once'
    setTimeout(() => { network.losesReplyOf = undefined }, 100)
    await peer.query("INSERT INTO notes VALUES ('once')")
    assert.ok((await notes()).length > 1)
    peer.quit()
    network.stop()
  })

  test('serverless-mysql goes on with half a transaction', async () => {
    const peer = peerOf()
    await peer.query('START TRANSACTION')
    await peer.query("INSERT INTO notes VALUES ('first')")
    await kill((await peer.query('SELECT CONNECTION_ID() AS id'))[0].id)
    await sleep(100)
    await peer.query("INSERT INTO notes VALUES ('second')")
    await peer.query('COMMIT')
    assert.deepEqual(await notes(), ['second'])
    peer.quit()
  })

  test('serverless-mysql sees none but its own user\'s connections', async () => {
    const peer = peerOf()
    const others = await hold(23, neighbour)
    await peer.query('SELECT 1')
    await peer.end()
    assert.ok(peer.getClient(), 'kept, although 25 of 30 are in use')
    await others.release()
    peer.quit()
  })

  test('serverless-mysql gives up for ever, and without the error\'s code', async () => {
    await until(async () => (await sessions()).length < 5, 'the sessions of other tests ended')
    const peer = peerOf({ maxRetries: 5 })
    const held = await hold(Infinity)
    await assert.rejects(peer.query('SELECT 1'), (error) => error.code === undefined)
    const again = performance.now()
    await assert.rejects(peer.query('SELECT 1'))
    assert.ok(performance.now() - again < 100, 'not one try more')
    await held.release()
  })

  // the last one, since it ends every session that idles, that of these tests too
  test('serverless-mysql ends a live session', async () => {
    const live = peerOf()
    await live.query('START TRANSACTION')
    const [{ id }] = await live.query('SELECT CONNECTION_ID() AS id')
    await sleep(4200)
    const hunter = peerOf({ connUtilization: 0.01 })
    await hunter.query('SELECT 1')
    await hunter.end()
    await until(async () => !(await sessions()).includes(Number(id)), 'the live session was ended')
    hunter.quit()
  })
}
