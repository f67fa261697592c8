'use strict'

const { checkDriverOptions } = require('./driver-options.cjs')
const { ConfigurationError } = require('./errors.cjs')
const { isHostOfRds } = require('./tls.cjs')

const DEFAULT_PORTS = { mysql: 3306, mariadb: 3306, postgresql: 5432 }
/** On Lambda Managed Instances. Source: AWS Lambda Developer Guide, "Configure Lambda function timeout". */
const LONGEST_MANAGED_SECONDS = 5400
// the whole name or address: "localhost.example.net" and "127.example.net" are anybody's
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i

/** What the runtime knows about one database: from options, else from the variables that the constructs set. */
class Settings {
  #name
  #options

  constructor (options = {}) {
    this.#options = options
    this.#name = options.name
    this.engine = this.#text('engine', 'ENGINE')
    if (!(this.engine in DEFAULT_PORTS)) {
      throw this.error('engine', 'ENGINE', this.engine, `It is one of ${Object.keys(DEFAULT_PORTS).join(', ')}.`)
    }
    this.host = this.#text('host', 'HOST')
    this.port = this.#number('port', 'PORT', 1, 65535)
    this.database = this.#text('database', 'DATABASE')
    this.user = this.#text('user', 'USER')
    this.password = options.password
    this.secretArn = this.#text('secretArn', 'SECRET_ARN')
    this.auth = this.#text('auth', 'AUTH')
    this.maxConnections = this.#number('maxConnections', 'MAX_CONNECTIONS', 1)
    this.utilization = this.#number('utilization', 'UTILIZATION', 0, 1) ?? 0.8
    this.proxy = ['1', 'true'].includes(this.#text('proxy', 'PROXY')?.toLowerCase())
    this.functionTimeout = this.#number('functionTimeout', 'FUNCTION_TIMEOUT', 0, LONGEST_MANAGED_SECONDS)
    // without a host the secret names it: not loopback, so verified
    this.tlsCa = this.#text('tlsCa', 'TLS_CA') ?? (LOOPBACK.test(this.host ?? '') ? undefined : 'system')
    if (this.tlsCa === 'by-host') this.tlsCa = this.#authoritiesByHost()
    this.driver = options.driver ?? {}
    this.#check()
    checkDriverOptions(this.isPostgreSql ? 'pg' : 'mysql2', this.driver)
  }

  get defaultPort () {
    return DEFAULT_PORTS[this.engine]
  }

  get isPostgreSql () {
    return this.engine === 'postgresql'
  }

  #authoritiesByHost () {
    if (!this.host) {
      throw this.error('tlsCa', 'TLS_CA', 'by-host', 'Give a host, or name the authorities: "bundled" or "system".')
    }
    return isHostOfRds(this.host) ? 'bundled' : 'system'
  }

  #check () {
    if (![undefined, 'iam'].includes(this.auth)) {
      throw this.error('auth', 'AUTH', this.auth, 'It is "iam", or left out for a secret or a password.')
    }
    if (this.auth === 'iam' && !(this.user && this.host)) {
      throw this.error('user', 'USER', this.user, 'IAM database authentication needs a user and a host.')
    }
    if (this.auth === 'iam' && !this.tlsCa) {
      throw this.error('tlsCa', 'TLS_CA', this.tlsCa, 'IAM database authentication needs TLS: name a CA.')
    }
    if (!this.secretArn && !this.host) {
      throw this.error('host', 'HOST', this.host, 'Give a host, or the ARN of a secret that names one.')
    }
  }

  #variable (setting) {
    return this.#name ? `BREAKWATER_${this.#name.toUpperCase()}_${setting}` : `BREAKWATER_${setting}`
  }

  #text (option, setting) {
    const value = this.#options[option] ?? process.env[this.#variable(setting)]
    return value === undefined || value === '' ? undefined : String(value)
  }

  #number (option, setting, lowest, highest = Infinity) {
    const text = this.#text(option, setting)
    if (text === undefined) return undefined
    const number = Number(text)
    // NaN compares as false
    if (!(number >= lowest && number <= highest)) {
      const wanted = highest === Infinity ? `at least ${lowest}` : `from ${lowest} to ${highest}`
      throw this.error(option, setting, text, `It is a number ${wanted}.`)
    }
    return number
  }

  error (option, setting, value, remedy) {
    return new ConfigurationError(`${option} (option, or ${this.#variable(setting)}) is ${JSON.stringify(value)}. ${remedy}`)
  }
}

module.exports = { Settings }
