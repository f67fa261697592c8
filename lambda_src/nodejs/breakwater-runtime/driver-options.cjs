'use strict'

const { ConfigurationError } = require('./errors.cjs')

/** What a handler's statements gain or lose by themselves. The drivers take any other name without a word. */
const KEPT = {
  mysql2: new Set([
    'authPlugins', 'authSwitchHandler', 'bigNumberStrings', 'charset', 'charsetNumber', 'compress', 'connectAttributes',
    'connectTimeout', 'dateStrings', 'debug', 'decimalNumbers', 'disableEval', 'enableCleartextPlugin', 'flags',
    'gracefulEnd', 'infileStreamFactory', 'jsonStrings', 'keepAliveInitialDelay', 'localAddress', 'maxPreparedStatements',
    'multipleStatements', 'namedPlaceholders', 'nestTables', 'queryFormat', 'rowsAsArray', 'stringifyObjects',
    'supportBigNumbers', 'timezone', 'trace', 'typeCast'
  ]),
  pg: new Set([
    'application_name', 'binary', 'client_encoding', 'connectionTimeoutMillis', 'enableChannelBinding',
    'fallback_application_name', 'idle_in_transaction_session_timeout', 'keepAliveInitialDelayMillis', 'lock_timeout',
    'options', 'query_timeout', 'scramMaxIterations', 'sslNegotiation', 'sslnegotiation', 'statement_timeout', 'types'
  ])
}
// without them nobody is told what a session leaves behind, or how its transaction ended
const FLAGS = /-\s*(SESSION_TRACK|TRANSACTIONS|PROTOCOL_41|SSL)\b/i

/** Refuse what would lead to another server, verify less, or be lost. */
function checkDriverOptions (driver, options) {
  for (const name of Object.keys(options)) {
    if (!KEPT[driver].has(name)) {
      throw new ConfigurationError(
        `driver.${name} is no option here. Server, login, TLS (tlsCa) and connections are the runtime's, ` +
        `and ${driver} would not say that it knows no such option.`
      )
    }
  }
  if (FLAGS.test(options.flags)) {
    throw new ConfigurationError(`driver.flags is ${JSON.stringify(options.flags)}. The runtime needs what it switches off.`)
  }
}

module.exports = { checkDriverOptions }
