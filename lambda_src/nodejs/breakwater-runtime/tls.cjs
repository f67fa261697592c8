'use strict'

const { existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const { ConfigurationError } = require('./errors.cjs')

const read = new Map()

/**
 * Return the CAs that a server is verified against, as the drivers take them; undefined stands for those that Node.js
 * trusts by itself (its own, and NODE_EXTRA_CA_CERTS).
 *
 * `tlsCa` is "bundled" (`ca.pem` beside this file, put there by the layer), "system", or a path.
 */
function certificateAuthorities (tlsCa) {
  if (tlsCa === 'system') return undefined
  if (!read.has(tlsCa)) {
    const path = tlsCa === 'bundled' ? join(__dirname, 'ca.pem') : tlsCa
    if (!existsSync(path)) {
      const remedy = tlsCa === 'bundled' ? 'The runtime layer carries it.' : 'Or use "system" or "bundled".'
      throw new ConfigurationError(`tlsCa is ${JSON.stringify(tlsCa)}, but there is no file ${path}. ${remedy}`)
    }
    read.set(tlsCa, readFileSync(path, 'ascii'))
  }
  return read.get(tlsCa)
}

/**
 * Whether a host is a server of RDS, whose certificates are signed by authorities of its own. An RDS Proxy is not:
 * ACM signs its certificate. In China the service's name comes before the Region or after it.
 */
function isHostOfRds (host) {
  const labels = host.toLowerCase().replace(/\.$/, '').replace(/\.cn$/, '').split('.')
  return labels.length === 6 && labels.slice(4).join('.') === 'amazonaws.com' && !labels[1].startsWith('proxy-') &&
    labels.slice(2, 4).includes('rds')
}

module.exports = { certificateAuthorities, isHostOfRds }
