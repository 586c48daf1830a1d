"""Billing at Stripe: the tools under ``billing.`` over a Stripe account instead of the sandbox company.

Our customers are found by the Stripe customer's metadata `handrail_customer`. Every effect leaves our idempotency key
in metadata, together with what was asked, and is looked up by it before anything is done: that an effect happens once
does not hang on how long Stripe remembers a key.
"""
