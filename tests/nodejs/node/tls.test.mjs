// What a certificate must be, for a server that refuses plain text.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { database, ConfigurationError, ConnectionUnavailable } from 'breakwater-runtime'

const { engine, port, user, password, database: schema } = JSON.parse(process.env.TEST_SERVER)
const { TEST_CERTIFICATE: certificate, TEST_CA: ca, TEST_OTHER_CA: otherCa } = process.env
const context = () => ({ getRemainingTimeInMillis: () => 20_000 })
const made = []

function connect (options) {
  const own = database({ engine, host: 'localhost', port, user, password, database: schema, ...options })
  made.push(own)
  const statement = engine === 'postgresql'
    ? 'SELECT ssl AS secure FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
    : "SHOW SESSION STATUS LIKE 'Ssl_version'"
  return own.use(context(), async (client) => {
    const result = await client.query(statement)
    return String(Object.values((result.rows ?? result)[0]).at(-1))
  })
}

const refused = async (options, pattern) => assert.rejects(connect(options), (error) => {
  assert.ok(!(error instanceof ConnectionUnavailable), 'told at once')
  assert.match(`${error.code} ${error.message}`, pattern)
  return true
})

afterEach(() => Promise.all(made.splice(0).map((own) => own.close())))

if (certificate === 'right') {
  test('the right certificate is accepted, by name', async () => {
    assert.match(await connect({ tlsCa: ca }), /^(true|TLSv1\.[23])$/)
  })

  test('the layer\'s bundle', async () => {
    assert.match(await connect({ tlsCa: 'bundled' }), /^(true|TLSv1\.[23])$/)
  })

  test('another authority is refused', () => refused({ tlsCa: otherCa }, /self.signed|unable to (verify|get)/))

  test('no variable of the environment switches verification off', async () => {
    Object.assign(process.env, { NODE_TLS_REJECT_UNAUTHORIZED: '0', PGSSLMODE: 'no-verify' })
    try {
      await refused({ tlsCa: otherCa }, /self.signed|unable to (verify|get)/)
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      delete process.env.PGSSLMODE
    }
  })

  test('the system\'s authorities do not know it', () => refused({ tlsCa: 'system' }, /self.signed|unable to (verify|get)/))

  test('plain text is refused by the server', () => refused({}, /insecure transport|ACCESS_DENIED|HY000|ER_SECURE|28000/i))

  test('an IP address is verified as such, or refused', async () => {
    if (engine === 'postgresql') assert.equal(await connect({ host: '127.0.0.1', tlsCa: ca }), 'true')
    else await assert.rejects(connect({ host: '127.0.0.1', tlsCa: ca }), ConfigurationError)
  })

  test('a file that is not there is named', () => refused({ tlsCa: '/nowhere.pem' }, /there is no file \/nowhere\.pem\. Or use "system"/))
} else {
  const pattern = { 'wrong-host': /does not match|altnames/i, expired: /expired/ }[certificate]
  test(`a certificate that is ${certificate} is refused`, () => refused({ tlsCa: ca }, pattern))
}
