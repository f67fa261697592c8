// An execution environment: a handler's file as argument, an event a line on standard input, an answer a line.
import { createInterface } from 'node:readline'

const { handler } = await import(process.argv[2])
for await (const line of createInterface({ input: process.stdin })) {
  const { seconds = 20, ...event } = JSON.parse(line)
  const end = Date.now() + seconds * 1000
  const context = { callbackWaitsForEmptyEventLoop: true, getRemainingTimeInMillis: () => end - Date.now() }
  const answer = await handler(event, context).then(
    (result) => ({ rows: result?.rows ?? result }),
    (error) => ({ error: error.code ?? error.message })
  )
  answer.waits = context.callbackWaitsForEmptyEventLoop
  process.stdout.write(JSON.stringify(answer) + '\n')
}
