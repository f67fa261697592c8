// The trap and the cure: the AWS SDK's default of 50 sockets, and as many as calls.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { requestHandler, ConfigurationError } from 'breakwater-runtime'

const require = createRequire(import.meta.url)
const { SecretsManagerClient, GetSecretValueCommand } = require('@aws-sdk/client-secrets-manager')
const CALLS = 200

async function callAtOnce (client) {
  const answers = await Promise.all(Array.from({ length: CALLS }, () => client.send(new GetSecretValueCommand({ SecretId: 'any' }))))
  client.destroy()
  return answers.length
}

// how many sockets each opened is counted by the endpoint: a time would be the machine's
test(`${CALLS} calls at once`, async () => {
  assert.equal(await callAtOnce(new SecretsManagerClient({ maxAttempts: 1 })), CALLS)
  assert.equal(await callAtOnce(new SecretsManagerClient({ maxAttempts: 1, requestHandler: requestHandler(CALLS) })), CALLS)
})

test('both agents are sized, and keep their sockets', () => {
  const { httpAgent, httpsAgent } = requestHandler(7)
  for (const agent of [httpAgent, httpsAgent]) assert.deepEqual([agent.maxSockets, agent.keepAlive], [7, true])
})

test('a parallelism that is none', () => {
  for (const given of [0, -1, 1.5, '5', undefined]) assert.throws(() => requestHandler(given), ConfigurationError)
})
