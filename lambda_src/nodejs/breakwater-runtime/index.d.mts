export * from './index.d.cts'
