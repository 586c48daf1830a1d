"""Access over SCIM 2.0: the tools under ``access.`` over a service that holds users, instead of the sandbox company.

Users belong to our customer by the enterprise extension's `organization`. Every change is one PATCH that also leaves a
note of it on the user, under our idempotency key, and that applies only to the version of the user that was read: so a
change happens once, although SCIM knows no idempotency keys.
"""
