'use strict'

const { Database } = require('./database.cjs')
const { ConfigurationError, ConnectionLost, ConnectionUnavailable } = require('./errors.cjs')
const { requestHandler } = require('./request-handler.cjs')

const database = (options) => new Database(options)

function withDatabase (handler, options) {
  // made at the first invocation, so that a wrong setting is an invocation's error and not an import's
  let own
  return async (event, context) => {
    own ??= new Database(options)
    return own.use(context, (client) => handler(event, context, client))
  }
}

module.exports = { database, withDatabase, requestHandler, ConfigurationError, ConnectionLost, ConnectionUnavailable }
