'use strict'

const { ConfigurationError, ConnectionUnavailable } = require('./errors.cjs')
const { iamToken } = require('./iam-token.cjs')

// A rotation changes the password first and the secret after it, within seconds (AWS Secrets Manager User Guide, "Lambda
// rotation functions": setSecret, testSecret, finishSecret).
const ROTATION_MS = 15_000
const PAUSE_MS = [250, 2000]
const TOKEN_PAUSE_MS = [250, 1000]
const ASK_WHERE_MS = 1000
// for fetching the secret and logging in; with less, the refusal is the better answer
const ATTEMPT_MS = 500

/** The credentials of one database; a secret is fetched when first needed and kept until it is refused. */
class Credentials {
  #settings
  #secret
  #doubtful = false
  #fetchedAt = 0
  #tokenRefused = false
  #refusedSince
  #refusedAt = 0
  #refusedInVain
  #pause = 0

  constructor (settings) {
    this.#settings = settings
  }

  /** Return what a connect needs, fetched where it isn't known yet. */
  async login (deadline) {
    const { secretArn } = this.#settings
    if (secretArn && (!this.#secret || this.#doubtful)) {
      this.#secret = await (this.#secret ? this.#askedAgain(secretArn, deadline) : fetch(secretArn, deadline.remaining()))
      this.#doubtful = false
      this.#fetchedAt = performance.now()
    }
    try {
      return this.#login(this.#secret ?? {})
    } catch (error) {
      // whoever puts the secret right needs no new environments
      this.#secret = undefined
      throw error
    }
  }

  /** Return what Secrets Manager says by now; while it says nothing, what was known holds, and most time is left. */
  async #askedAgain (secretArn, deadline) {
    try {
      return await fetch(secretArn, Math.min(ASK_WHERE_MS, deadline.remaining() / 2))
    } catch (error) {
      // there is an answer, and it names nobody
      if (error instanceof ConfigurationError) throw error
      return this.#secret
    }
  }

  #login (secret) {
    const settings = this.#settings
    const host = settings.host ?? secret.host
    if (!host) throw settings.error('host', 'HOST', undefined, 'Neither the setting nor the secret names a host.')
    const port = Number(settings.port ?? secret.port ?? settings.defaultPort)
    const user = settings.user ?? secret.username
    if (!user) throw settings.error('user', 'USER', user, "A driver would log in as the operating system's user, or as nobody. Name one.")
    const database = settings.database ?? secret.dbname
    // made anew for each connect: a token lasts 15 minutes, and making one is local arithmetic
    const password = settings.auth === 'iam' ? iamToken(host, port, user) : settings.password ?? secret.password ?? ''
    return { host, port, user, password, database }
  }

  /** Note that no connection came about: the secret may say by now that the database is elsewhere. */
  inVain () {
    const { host, port, database } = this.#settings
    this.#doubtful = !host || !port || !database
  }

  /** Note that an attempt to connect failed: the secret may name another place by now, and is asked each second. */
  unreachable () {
    if (performance.now() - this.#fetchedAt >= ASK_WHERE_MS) this.inVain()
  }

  /** Note that the server let us in. */
  accepted () {
    this.#refusedSince = this.#refusedInVain = undefined
    this.#doubtful = this.#tokenRefused = false
  }

  /**
   * After a refused login: the milliseconds until the next, with a secret that is fetched anew by then. undefined: the
   * login is wrong, and not in rotation.
   */
  pauseAfterRefusal (deadline) {
    if (this.#settings.auth === 'iam') return this.#pauseAfterRefusedToken(deadline)
    const refused = this.#secret && JSON.stringify(this.#secret)
    this.#secret = undefined
    if (!refused || this.#settings.password !== undefined || refused === this.#refusedInVain) return undefined
    const now = performance.now()
    const before = this.#refusedAt
    this.#refusedAt = now
    // an invocation before may have ended in the midst of it
    if (this.#refusedSince === undefined || now - before > ROTATION_MS) {
      this.#refusedSince = now
      this.#pause = 0
      return 0
    }
    this.#pause = Math.min(PAUSE_MS[1], Math.max(PAUSE_MS[0], this.#pause * 2))
    const waited = now - this.#refusedSince + this.#pause
    if (waited <= ROTATION_MS && this.#pause + ATTEMPT_MS <= deadline.remaining()) return this.#pause
    this.#refusedSince = undefined
    this.#refusedInVain = refused
    return undefined
  }

  /** One more token, made anew, until one is accepted: the first may have come in a moment of too many logins. */
  #pauseAfterRefusedToken (deadline) {
    const [least, most] = TOKEN_PAUSE_MS
    const pause = least + Math.random() * (most - least)
    if (this.#tokenRefused || pause + ATTEMPT_MS > deadline.remaining()) return undefined
    this.#tokenRefused = true
    return pause
  }
}

let client

async function fetch (secretArn, milliseconds) {
  let sdk
  try {
    sdk = require('@aws-sdk/client-secrets-manager')
  } catch (cause) {
    const remedy = "which Lambda's Node.js runtimes carry. Elsewhere: npm install @aws-sdk/client-secrets-manager"
    throw new ConfigurationError(`Secrets Manager needs the AWS SDK for JavaScript v3, ${remedy}`, { cause })
  }
  client ??= new sdk.SecretsManagerClient({})
  const abortSignal = AbortSignal.timeout(Math.max(0, Math.ceil(milliseconds)))
  const asked = client.send(new sdk.GetSecretValueCommand({ SecretId: secretArn }), { abortSignal })
  const { SecretString: text } = await asked.catch((error) => {
    if (!abortSignal.aborted) throw error
    throw new ConnectionUnavailable(`Secrets Manager gave no answer for ${secretArn}, and the invocation's time is over`, 1, error)
  })
  const secret = parsed(text)
  if (typeof secret?.password !== 'string') {
    // the value itself stays out of every message
    throw new ConfigurationError(
      `secretArn is ${JSON.stringify(secretArn)}, whose value is not in the format of RDS. ` +
      'It is a JSON object with "username" and "password".'
    )
  }
  return secret
}

function parsed (text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

module.exports = { Credentials }
