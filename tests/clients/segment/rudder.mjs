// What a product does with RudderStack's library for Node: three accounts with two users each, and what they do.
import RudderAnalytics from '@rudderstack/rudder-sdk-node'

const analytics = new RudderAnalytics(process.env.SEXTANT_KEY, {
  dataPlaneUrl: process.env.SEXTANT_ADDRESS,
  gzip: true,
  flushAt: 50,
})
const failures = []
const delivered = (error) => {
  if (error) failures.push(error)
}

const begun = Date.now() - 3_600_000
const after = (minutes) => new Date(begun + minutes * 60_000)
for (const account of [0, 1, 2]) {
  for (const number of [0, 1]) {
    const userId = `rudder-${account}-${number}`
    const traits = { email: `${userId}@example.com`, title: 'Analyst' }
    analytics.identify({ userId, traits, originalTimestamp: after(0) }, delivered)
    const group = { name: `Rudder ${account}`, employees: 40 + account }
    analytics.group({ userId, groupId: `rudder-${account}`, traits: group, originalTimestamp: after(0) }, delivered)
    for (let step = 0; step < 20; step += 1) {
      const properties = { rows: step, feature_key: 'reports' }
      analytics.track({ userId, event: 'Report Built', properties, originalTimestamp: after(step) }, delivered)
    }
    analytics.page({ userId, name: 'Home', properties: { path: '/docs' }, originalTimestamp: after(30) }, delivered)
    analytics.alias({ userId, previousId: `anonymous-${userId}`, originalTimestamp: after(31) }, delivered)
  }
}
await analytics.flush()
if (failures.length > 0) {
  console.error('not delivered:', failures)
  process.exit(1)
}
