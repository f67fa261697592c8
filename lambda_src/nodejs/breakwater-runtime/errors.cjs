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

/** The server has ended the transaction, and the handler went on. */
class TransactionAborted extends Error {
  name = 'TransactionAborted'
  code = 'TRANSACTION_ABORTED'

  constructor () {
    super(
      'The server had ended the transaction when a statement in it failed (a deadlock, for example), and the handler went ' +
      'on: this statement was not applied. Let the error out of the handler, or begin anew with ROLLBACK or BEGIN.'
    )
  }
}

module.exports = { ConfigurationError, ConnectionLost, ConnectionUnavailable, TransactionAborted }
