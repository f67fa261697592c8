'use strict'

const { ConfigurationError, ConnectionUnavailable } = require('./errors.cjs')
const { iamToken } = require('./iam-token.cjs')

/** The credentials of one database; a secret is fetched when first needed and kept until it is refused. */
class Credentials {
  #settings
  #secret

  constructor (settings) {
    this.#settings = settings
  }

  /** Return what a connect needs, fetched where it isn't known yet. */
  async login (deadline) {
    const settings = this.#settings
    if (settings.secretArn) this.#secret ??= await fetch(settings.secretArn, deadline)
    const secret = this.#secret ?? {}
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

  /** After a refused login: fetch the secret again, and tell whether it has changed. */
  async rotated (deadline) {
    if (!this.#settings.secretArn || this.#settings.password !== undefined) return false
    const known = JSON.stringify(this.#secret)
    this.#secret = await fetch(this.#settings.secretArn, deadline)
    return JSON.stringify(this.#secret) !== known
  }
}

let client

async function fetch (secretArn, deadline) {
  let sdk
  try {
    sdk = require('@aws-sdk/client-secrets-manager')
  } catch (cause) {
    const remedy = "which Lambda's Node.js runtimes carry. Elsewhere: npm install @aws-sdk/client-secrets-manager"
    throw new ConfigurationError(`Secrets Manager needs the AWS SDK for JavaScript v3, ${remedy}`, { cause })
  }
  client ??= new sdk.SecretsManagerClient({})
  const abortSignal = AbortSignal.timeout(Math.max(0, Math.ceil(deadline.remaining())))
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
