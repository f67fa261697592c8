'use strict'

const http = require('node:http')
const https = require('node:https')
const { ConfigurationError } = require('./errors.cjs')

/** As many sockets as calls, for a client of the AWS SDK v3, whose own default is 50: the rest would wait in line. */
function requestHandler (parallelism) {
  if (!Number.isInteger(parallelism) || parallelism < 1) {
    throw new ConfigurationError(`parallelism is ${JSON.stringify(parallelism)}. It is a whole number of at least 1.`)
  }
  const options = { keepAlive: true, maxSockets: parallelism }
  return { httpAgent: new http.Agent(options), httpsAgent: new https.Agent(options) }
}

module.exports = { requestHandler }
