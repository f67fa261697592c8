// Settings are told by name and value, and nothing is corrected silently.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
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
  [{ engine: 'mysql', secretArn: 'arn:s', tlsCa: 'by-host' }, /tlsCa .* is "by-host"\. Give a host/],
  [{ ...right, name: 'stock', port: 0 }, /port \(option, or BREAKWATER_STOCK_PORT\)/]
]

for (const [options, message] of wrong) {
  test(String(message), () => assert.throws(() => database(options), (error) => error instanceof ConfigurationError && message.test(error.message)))
}

const { Settings } = createRequire(import.meta.resolve('breakwater-runtime'))('./settings.cjs')

for (const [host, authorities] of [
  ['shop.c9akciq32abc.eu-central-1.rds.amazonaws.com', 'bundled'],
  ['Shop.cluster-ro-c9akciq32abc.EU-central-1.RDS.amazonaws.com.', 'bundled'],
  ['shop.global-c9akciq32abc.global.rds.amazonaws.com', 'bundled'],
  ['shop.c9akciq32abc.cn-north-1.rds.amazonaws.com.cn', 'bundled'],
  ['shop.c9akciq32abc.rds.cn-north-1.amazonaws.com.cn', 'bundled'],
  ['shop.proxy-c9akciq32abc.eu-central-1.rds.amazonaws.com', 'system'],
  ['reads.endpoint.proxy-c9akciq32abc.eu-central-1.rds.amazonaws.com', 'system'],
  ['shop.c9akciq32abc.eu-central-1.rds.amazonaws.com.example.net', 'system'],
  ['db.example.net', 'system']
]) {
  test(`by-host: ${host}`, () => assert.equal(new Settings({ ...right, host, tlsCa: 'by-host' }).tlsCa, authorities))
}

test('a host that looks like loopback gets no plain text', () => {
  for (const host of ['localhost.attacker.example', '127.attacker.example', '127.0.0.1.attacker.example', '::1.example']) {
    assert.equal(new Settings({ ...right, host }).tlsCa, 'system')
  }
  for (const host of ['localhost', '127.0.0.1', '127.8.8.8', '::1', 'LOCALHOST']) assert.equal(new Settings({ ...right, host }).tlsCa, undefined)
})

test('a wrong setting is the invocation\'s error, not the import\'s', async () => {
  let called = false
  const handler = withDatabase(() => { called = true }, { engine: 'oracle' })
  await assert.rejects(handler({}, {}), ConfigurationError)
  assert.equal(called, false)
})
