const { withDatabase } = require('breakwater-runtime')

exports.handler = withDatabase(
  async ({ statement }, context, client) => client.query(statement),
  { password: process.env.TEST_PASSWORD }
)
