import type { Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'

/** serverless-mysql's object: one connection, queries as promises. */
export interface MySqlClient {
  query<Rows = any> (statement: string, values?: unknown): Promise<Rows>
  query<Rows = any> (options: { sql: string, values?: unknown, timeout?: number, [option: string]: unknown }): Promise<Rows>
  transaction (): MySqlTransaction
  escape (value: unknown): string
  escapeId (name: string): string
  format (statement: string, values: unknown[]): string
}

export interface MySqlTransaction {
  query (statement: string, values?: unknown): this
  query (next: (result: any, results: any[]) => unknown[] | null): this
  rollback (report: (error: Error) => void): this
  commit<Results extends any[] = any[]> (): Promise<Results>
}

/** serverless-postgres's object: one connection, queries as promises. */
export interface PostgreSqlClient {
  query<Row = any> (statement: string, values?: unknown[]): Promise<PostgreSqlResult<Row>>
  query<Row = any> (options: { text: string, values?: unknown[], name?: string, [option: string]: unknown }): Promise<PostgreSqlResult<Row>>
}

export interface PostgreSqlResult<Row> {
  rows: Row[]
  rowCount: number | null
  command: string
}

export type DatabaseClient = MySqlClient | PostgreSqlClient

/** Every option but `password` and `driver` is also an environment variable, which the constructs set. */
export interface DatabaseOptions {
  /** The name of a function's further database: its variables are `BREAKWATER_<NAME>_…`. */
  name?: string
  engine?: 'mysql' | 'mariadb' | 'postgresql'
  host?: string
  port?: number
  /** Default: the secret's `dbname`. */
  database?: string
  user?: string
  password?: string
  /** A secret of Secrets Manager in the format of RDS. */
  secretArn?: string
  auth?: 'iam'
  /** Default: the server is asked. */
  maxConnections?: number
  /** The part of `maxConnections` in use above which connections are given back. Default 0.8. */
  utilization?: number
  /** `bundled`, `system`, `by-host` (`bundled` for a host of RDS, else `system`) or a path. Default: `system`; on loopback, plain text. */
  tlsCa?: string
  /** Behind RDS Proxy: nothing is SET. */
  proxy?: boolean
  /** The function's timeout in seconds: a session that idles for longer within an invocation is ended. Default 900. */
  functionTimeout?: number
  /** Options of the driver, mysql2 or pg, that change neither server, login, TLS nor the number of connections. */
  driver?: Record<string, unknown>
}

/** What the runtime uses of Lambda's context. */
export interface LambdaContext {
  callbackWaitsForEmptyEventLoop?: boolean
  getRemainingTimeInMillis? (): number
}

export interface Database<Client = DatabaseClient> {
  /** Call `work` with a live connection and return what it returns; uses at the same time take turns. */
  use<Result> (context: LambdaContext | undefined, work: (client: Client) => Result | Promise<Result>): Promise<Result>
  close (): Promise<void>
}

/** The one connection of an execution environment, for a handler that needs it now and then, or two of them. */
export function database<Client = DatabaseClient> (options?: DatabaseOptions): Database<Client>

/** Make a handler that gets a live connection as its third argument. */
export function withDatabase<Client = DatabaseClient, Event = any, Result = any, Context extends LambdaContext = any> (
  handler: (event: Event, context: Context, client: Client) => Result | Promise<Result>,
  options?: DatabaseOptions
): (event: Event, context: Context) => Promise<Result>

/** `new S3Client({ requestHandler: requestHandler(200) })`: a client of the AWS SDK v3 with as many sockets as calls. */
export function requestHandler (parallelism: number): { httpAgent: HttpAgent, httpsAgent: HttpsAgent }

/** A setting is missing or wrong. */
export class ConfigurationError extends Error {}

/** No connection within the time that the invocation had. */
export class ConnectionUnavailable extends Error {
  readonly code: 'CONNECTION_UNAVAILABLE'
  readonly attempts: number
  readonly cause: unknown
}

/** The connection ended within an invocation; `cause` is the driver's error. */
export class ConnectionLost extends Error {
  readonly code: 'CONNECTION_LOST'
  /** Whether the statement was sent: then it may have run. It was not sent again. */
  readonly sent: boolean
  readonly cause: unknown
}

/** A statement behind one whose failure ended the transaction: it was not applied. */
export class TransactionAborted extends Error {
  readonly code: 'TRANSACTION_ABORTED'
}
