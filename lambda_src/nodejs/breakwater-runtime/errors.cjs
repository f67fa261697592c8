'use strict'

/** A setting is missing or wrong; the message names it, the value, and what would be right. */
class ConfigurationError extends Error {
  name = 'ConfigurationError'
}

/** No connection within the time that the invocation had; the message says what was tried, `cause` is the last error. */
class ConnectionUnavailable extends Error {
  name = 'ConnectionUnavailable'
  code = 'CONNECTION_UNAVAILABLE'

  constructor (message, attempts, cause) {
    super(message, { cause })
    this.attempts = attempts
  }
}

/** The connection ended within an invocation; `cause` is the driver's error. */
class ConnectionLost extends Error {
  name = 'ConnectionLost'
  code = 'CONNECTION_LOST'

  constructor (cause, sent) {
    const what = sent
      ? 'the statement may or may not have run, and was not sent again'
      : 'an open transaction was rolled back by the server, and the statement was not sent'
    super(`The connection ended within the invocation (${cause.code ?? cause.message}): ${what}.`, { cause })
    this.sent = sent
  }
}

module.exports = { ConfigurationError, ConnectionLost, ConnectionUnavailable }
