// Compiled, never run: what a user's code may say, and what it may not.
import { database, withDatabase, requestHandler, ConnectionLost, type MySqlClient, type PostgreSqlClient } from 'breakwater-runtime'

interface Product { name: string }

export const mysql = withDatabase<MySqlClient, { id: number }>(async (event, context, client) => {
  const [product] = await client.query<Product[]>('SELECT name FROM products WHERE id = ?', [event.id])
  await client.transaction().query('INSERT INTO notes VALUES (?)', ['one']).commit()
  return product.name
})

export const postgres = withDatabase(async (event: { id: number }, context, client: PostgreSqlClient) => {
  const { rows } = await client.query<Product>('SELECT name FROM products WHERE id = $1', [event.id])
  return rows[0].name
}, { functionTimeout: 10, driver: { statement_timeout: 5000 } })

export const length: Promise<number> = database<PostgreSqlClient>({ name: 'stock' }).use(undefined, async (client) => (await client.query('SELECT 1')).rows.length)

export const sockets: number = requestHandler(200).httpsAgent.maxSockets

export const again = (error: unknown): boolean => error instanceof ConnectionLost && !error.sent

// @ts-expect-error an engine without a driver in the layer
database({ engine: 'oracle' })
// @ts-expect-error
requestHandler('200')
// @ts-expect-error the handler's client knows no such method
withDatabase<MySqlClient>(async (event, context, client) => client.nothing())
