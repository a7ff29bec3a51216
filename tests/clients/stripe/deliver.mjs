// What Stripe sends of one customer who buys seats and pays, signed by Stripe's own library. Each event is sent twice, as after an answer
// that was lost, and those of a customer who is not known yet come first.
import Stripe from 'stripe'

const secret = process.env.STRIPE_SECRET
const stripe = new Stripe('sk_test_none')
const created = Math.floor(Date.now() / 1000) - 3600
const month = 30 * 24 * 3600

const event = (id, type, object) => ({
  id, object: 'event', api_version: '2025-03-31.basil', created, type, livemode: true, pending_webhooks: 1, data: { object },
})
const price = { id: 'price_1', object: 'price', currency: 'usd', unit_amount: 2000, recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' }, product: 'prod_1' }
const subscription = (status) => ({
  id: 'sub_1', object: 'subscription', customer: 'cus_1', status, start_date: created, cancel_at_period_end: false, collection_method: 'charge_automatically',
  items: { object: 'list', data: [{ id: 'si_1', price, quantity: 12, current_period_start: created, current_period_end: created + month }] },
})
const invoice = (status, paid) => ({
  id: 'in_1', object: 'invoice', customer: 'cus_1', status, currency: 'usd', total: 24000, subtotal: 24000, amount_due: 24000, amount_paid: paid, amount_remaining: 24000 - paid,
  created, parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1' } },
})
const charge = { id: 'ch_1', object: 'charge', customer: 'cus_1', payment_intent: 'pi_1', status: 'succeeded', captured: true, amount: 24000, amount_refunded: 0, currency: 'usd' }

const events = [
  event('evt_6', 'invoice.paid', invoice('paid', 24000)),
  event('evt_5', 'charge.succeeded', charge),
  event('evt_4', 'customer.subscription.updated', subscription('active')),
  event('evt_1', 'customer.created', { id: 'cus_1', object: 'customer', name: 'Acme', created, metadata: { account_id: 'acme' } }),
  event('evt_3', 'invoice.finalized', invoice('open', 0)),
  event('evt_2', 'customer.subscription.created', subscription('incomplete')),
]

const deliver = async (payload, header) => {
  const answer = await fetch(`${process.env.SEXTANT_ADDRESS}/v1/stripe/live`, { method: 'POST', body: payload, headers: { 'stripe-signature': header } })
  return answer.status
}
for (const one of [...events, ...events]) {
  const payload = JSON.stringify(one, null, 2)
  const status = await deliver(payload, stripe.webhooks.generateTestHeaderString({ payload, secret }))
  if (status !== 200) throw new Error(`${one.id}: ${status}`)
}
const payload = JSON.stringify(events[0])
const status = await deliver(payload, stripe.webhooks.generateTestHeaderString({ payload, secret: 'whsec_of_somebody_else' }))
if (status !== 401) throw new Error(`somebody else's: ${status}`)
