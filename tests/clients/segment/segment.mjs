// What a product does with Segment's library for Node: three accounts with two users each, and what they do.
import { Analytics } from '@segment/analytics-node'

const analytics = new Analytics({
  writeKey: process.env.SEXTANT_KEY,
  host: process.env.SEXTANT_ADDRESS,
  flushAt: 50,
})
const failures = []
analytics.on('error', (error) => failures.push(error))

const begun = Date.now() - 3_600_000
const after = (minutes) => new Date(begun + minutes * 60_000)
for (const account of [0, 1, 2]) {
  for (const number of [0, 1]) {
    const userId = `node-${account}-${number}`
    analytics.identify({ userId, traits: { email: `${userId}@example.com`, title: 'Analyst' }, timestamp: after(0) })
    analytics.group({ userId, groupId: `node-${account}`, traits: { name: `Node ${account}`, employees: 40 + account }, timestamp: after(0) })
    for (let step = 0; step < 20; step += 1) {
      const properties = { rows: step, feature_key: 'reports' }
      analytics.track({ userId, event: 'Report Built', properties, timestamp: after(step) })
    }
    analytics.page({ userId, category: 'docs', name: 'Home', properties: { path: '/docs' }, timestamp: after(30) })
    analytics.alias({ userId, previousId: `anonymous-${userId}`, timestamp: after(31) })
  }
}
await analytics.closeAndFlush()
if (failures.length > 0) {
  console.error('not delivered:', failures)
  process.exit(1)
}
