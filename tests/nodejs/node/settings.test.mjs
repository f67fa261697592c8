// Settings are told by name and value, and nothing is corrected silently.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigurationError, database, withDatabase } from 'breakwater-runtime'

const right = { engine: 'mysql', host: 'db.example.net' }
const wrong = [
  [{ ...right, engine: 'oracle' }, /engine \(option, or BREAKWATER_ENGINE\) is "oracle"\. It is one of mysql, mariadb, postgresql\./],
  [{ ...right, engine: undefined }, /engine .* is undefined/],
  [{ ...right, host: undefined }, /host .* is undefined\. Give a host, or the ARN of a secret/],
  [{ ...right, port: 70000 }, /port .* is "70000"\. It is a number from 1 to 65535\./],
  [{ ...right, port: 'x' }, /port .* is "x"/],
  [{ ...right, maxConnections: 0 }, /maxConnections .* is "0"\. It is a number at least 1\./],
  [{ ...right, utilization: 1.1 }, /utilization .*from 0 to 1/],
  [{ ...right, functionTimeout: 5401 }, /functionTimeout .*from 0 to 5400/],
  [{ ...right, auth: 'kerberos' }, /auth .* is "kerberos"/],
  [{ ...right, auth: 'iam' }, /needs a user and a host/],
  [{ ...right, host: '127.0.0.1', auth: 'iam', user: 'clerk' }, /needs TLS: name a CA/],
  [{ ...right, name: 'stock', port: 0 }, /port \(option, or BREAKWATER_STOCK_PORT\)/]
]

for (const [options, message] of wrong) {
  test(String(message), () => assert.throws(() => database(options), (error) => error instanceof ConfigurationError && message.test(error.message)))
}

test('a wrong setting is the invocation\'s error, not the import\'s', async () => {
  let called = false
  const handler = withDatabase(() => { called = true }, { engine: 'oracle' })
  await assert.rejects(handler({}, {}), ConfigurationError)
  assert.equal(called, false)
})
