'use strict'

const { createHash, createHmac } = require('node:crypto')
const { ConfigurationError } = require('./errors.cjs')

const LIFETIME_SECONDS = 900
const sha256 = (text) => createHash('sha256').update(text).digest('hex')
const hmac = (key, text) => createHmac('sha256', key).update(text).digest()
// encodeURIComponent leaves these as they are, Signature Version 4 does not
const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * Make an authentication token for IAM database authentication: a presigned request (Signature Version 4) for
 * `rds-db:connect`, without its scheme. Source: RDS User Guide, "IAM database authentication"; IAM User Guide, "Create a
 * signed AWS API request". Signed here, since @aws-sdk/rds-signer is not among what Lambda's documentation promises.
 */
function iamToken (host, port, user, now = new Date()) {
  const region = required('AWS_REGION', process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION)
  const time = now.toISOString().replace(/[:-]|\.\d{3}/g, '')
  const scope = `${time.slice(0, 8)}/${region}/rds-db/aws4_request`
  const query = {
    Action: 'connect',
    DBUser: user,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${required('AWS_ACCESS_KEY_ID', process.env.AWS_ACCESS_KEY_ID)}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': LIFETIME_SECONDS,
    'X-Amz-SignedHeaders': 'host'
  }
  if (process.env.AWS_SESSION_TOKEN) query['X-Amz-Security-Token'] = process.env.AWS_SESSION_TOKEN
  const canonicalQuery = Object.keys(query).sort().map((name) => `${encode(name)}=${encode(query[name])}`).join('&')
  const request = ['GET', '/', canonicalQuery, `host:${host}:${port}`, '', 'host', sha256('')].join('\n')
  const secret = required('AWS_SECRET_ACCESS_KEY', process.env.AWS_SECRET_ACCESS_KEY)
  const key = [...scope.split('/')].reduce(hmac, `AWS4${secret}`)
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n')).toString('hex')
  return `${host}:${port}/?${canonicalQuery}&X-Amz-Signature=${signature}`
}

function required (name, value) {
  if (value) return value
  throw new ConfigurationError(`${name} is not set, and an IAM token is signed with it. Lambda sets it.`)
}

module.exports = { iamToken }
