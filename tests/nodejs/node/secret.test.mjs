// Secrets Manager is the AWS SDK's own client against pytest's endpoint, which hands out what TEST_SECRETS says, in turn.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ConfigurationError } from 'breakwater-runtime'
import { closeAll, closeDatabases, context, engine, host, make, part, password, sessionId, user } from './support.mjs'

const { TEST_SECRET_ARN: secretArn, TEST_CASE: name } = process.env
const { Credentials } = part('credentials.cjs')
const { Deadline } = part('attempts.cjs')
const { Settings } = part('settings.cjs')
const credentialsOf = (options) => new Credentials(new Settings(options))
const own = (options) => make({ user: undefined, password: undefined, secretArn, ...options })
after(closeAll)

if (name === 'rotated') {
  test('a secret is fetched once, kept, and fetched anew until a rotation is done', async () => {
    const database = own()
    assert.ok(await database.use(context(), sessionId))
    await database.close()
    assert.ok(await database.use(context(), sessionId))
  })
} else if (name === 'wrong') {
  test('a wrong secret is fetched as long as there is time, once for each version, and then told', async () => {
    const database = own()
    for (const [seconds, longest] of [[2, 2000], [20, 1500]]) {
      const began = performance.now()
      await assert.rejects(database.use(context(seconds), sessionId), (error) => {
        assert.match(error.code, /^(28P01|ER_ACCESS_DENIED_ERROR)$/)
        assert.ok(!error.message.includes(password))
        return true
      })
      assert.ok(performance.now() - began < longest)
    }
  })
} else if (name === 'silent') {
  test('a Secrets Manager that says nothing costs no more than the time', async () => {
    const began = Date.now()
    await assert.rejects(own().use(context(1.5), sessionId), { code: 'CONNECTION_UNAVAILABLE', message: /Secrets Manager gave no answer for arn:/ })
    assert.ok(Date.now() - began < 1500 + 1500)
  })
} else if (name === 'names-the-host') {
  test('the secret names host and port, then TLS is verified, and it is read again after a failure', async () => {
    const database = own({ host: undefined, port: undefined })
    for (let time = 0; time < 2; time++) {
      await assert.rejects(database.use(context(3), sessionId), /does not support (SSL|secure)|verifies a certificate/)
    }
    await closeDatabases()
  })
} else if (name === 'moved') {
  test('a port that the secret alone names is asked for again, within the invocation', async () => {
    assert.ok(await own({ port: undefined }).use(context(), sessionId))
  })
} else if (name === 'holds') {
  test('what a secret said holds while Secrets Manager gives no other, and most time is left', async () => {
    const credentials = credentialsOf({ engine, host, secretArn })
    const known = await credentials.login(new Deadline(context()))
    credentials.inVain()
    const deadline = new Deadline(context(1.5))
    assert.deepEqual(await credentials.login(deadline), known)
    assert.ok(deadline.remaining() > 250)
  })
} else if (name === 'token') {
  test('a refused token is followed by one more, made anew, and no third', async () => {
    const credentials = credentialsOf({ engine, host, user, auth: 'iam', tlsCa: 'system' })
    const refused = () => credentials.pauseAfterRefusal(new Deadline(context()))
    const first = refused()
    assert.ok(first >= 250 && first <= 1000)
    assert.equal(refused(), undefined)
    credentials.accepted()
    assert.ok(refused())
    credentials.accepted()
    assert.equal(credentials.pauseAfterRefusal(new Deadline(context(0.8))), undefined)
  })
} else {
  test('a secret in another format is named, but not shown', async () => {
    await assert.rejects(own().use(context(), sessionId), (error) => {
      assert.ok(error instanceof ConfigurationError)
      assert.ok(error.message.includes(secretArn))
      assert.ok(!error.message.includes('not it'))
      return true
    })
  })
}
