// "system" is what Node.js trusts: here by NODE_EXTRA_CA_CERTS.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { database } from 'breakwater-runtime'

const { engine, port, user, password, database: schema } = JSON.parse(process.env.TEST_SERVER)

test('an authority that Node.js was told to trust', async () => {
  const own = database({ engine, host: 'localhost', port, user, password, database: schema, tlsCa: 'system' })
  const result = await own.use(undefined, (client) => client.query('SELECT 1 AS one'))
  assert.equal((result.rows ?? result)[0].one, 1)
  await own.close()
})
