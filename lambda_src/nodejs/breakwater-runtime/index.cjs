'use strict'

const { databaseOf: database } = require('./database.cjs')
const { ConfigurationError, ConnectionLost, ConnectionUnavailable, TransactionAborted } = require('./errors.cjs')
const { requestHandler } = require('./request-handler.cjs')

function withDatabase (handler, options) {
  let own
  try {
    // now, since Lambda's init phase has more CPU than an invocation
    own = database(options)
  } catch {
    // a wrong setting is the invocation's error, not the import's
  }
  return async (event, context) => {
    own ??= database(options)
    return own.use(context, (client) => handler(event, context, client))
  }
}

module.exports = {
  database, withDatabase, requestHandler, ConfigurationError, ConnectionLost, ConnectionUnavailable, TransactionAborted
}
