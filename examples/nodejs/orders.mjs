import { withDatabase } from 'breakwater-runtime'

export const handler = withDatabase(async (event, context, database) => {
  const { rows } = await database.query('SELECT id, product, quantity FROM orders WHERE id = $1', [event.id])
  return rows[0] ?? null
})
