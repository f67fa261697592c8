// An execution environment: a handler's file as argument, an event a line on standard input, an answer a line.
import { createInterface } from 'node:readline'

const { handler } = await import(process.argv[2])
for await (const line of createInterface({ input: process.stdin })) {
  const context = { callbackWaitsForEmptyEventLoop: true, getRemainingTimeInMillis: () => 20_000 }
  const answer = await handler(JSON.parse(line), context).then(
    (result) => ({ rows: result?.rows ?? result }),
    (error) => ({ error: error.code ?? error.message })
  )
  answer.waits = context.callbackWaitsForEmptyEventLoop
  process.stdout.write(JSON.stringify(answer) + '\n')
}
