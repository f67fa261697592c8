// the same module for both kinds, so that they share one connection
import runtime from './index.cjs'

export const {
  database, withDatabase, requestHandler, ConfigurationError, ConnectionLost, ConnectionUnavailable, TransactionAborted
} = runtime
