import { withDatabase } from 'breakwater-runtime'

export const handler = withDatabase(
  async ({ statement }, context, client) => client.query(statement),
  { password: process.env.TEST_PASSWORD }
)
