// The trap and the cure: the AWS SDK's default of 50 sockets, and as many as calls.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { requestHandler, ConfigurationError } from 'breakwater-runtime'

const require = createRequire(import.meta.url)
const { SecretsManagerClient, GetSecretValueCommand } = require('@aws-sdk/client-secrets-manager')
const CALLS = 200

async function milliseconds (client) {
  const started = performance.now()
  await Promise.all(Array.from({ length: CALLS }, () => client.send(new GetSecretValueCommand({ SecretId: 'any' }))))
  client.destroy()
  return performance.now() - started
}

test(`${CALLS} calls at once take a quarter of the rounds`, async () => {
  const byDefault = await milliseconds(new SecretsManagerClient({ maxAttempts: 1 }))
  const ours = await milliseconds(new SecretsManagerClient({ maxAttempts: 1, requestHandler: requestHandler(CALLS) }))
  console.log(`rounds: ${byDefault.toFixed(0)} ms with the default, ${ours.toFixed(0)} ms with ours`)
  assert.ok(ours < 0.75 * byDefault, `${ours} of ${byDefault}`)
})

test('both agents are sized, and keep their sockets', () => {
  const { httpAgent, httpsAgent } = requestHandler(7)
  for (const agent of [httpAgent, httpsAgent]) assert.deepEqual([agent.maxSockets, agent.keepAlive], [7, true])
})

test('a parallelism that is none', () => {
  for (const given of [0, -1, 1.5, '5', undefined]) assert.throws(() => requestHandler(given), ConfigurationError)
})
