"""Three matters that the product was not shipped with: what customers write about them, and who solves them."""

QUEUES = {"tax_exemption": "billing", "penetration_test": "security", "reseller_partnership": "contracts"}

EXAMPLES = {
    "tax_exemption": """
We are a registered charity and exempt from VAT, where do I send the certificate?
please stop adding sales tax, we are a tax exempt school
Our organisation is tax exempt. Can you put our exemption certificate on file?
how do we register our VAT exemption with you
As a public university we do not pay VAT, please set the account to exempt
I'd like to submit form ST-5 so that no sales tax is charged
you charge us tax although we are a nonprofit with exempt status
can you mark us as tax exempt from next month on
Where can I upload our exemption letter from the tax office?
We have an exemption certificate for sales tax, valid until 2028
our VAT should be zero, we are an international organisation with exempt status
hi, tax exempt customer here, what do you need from us to remove the VAT?
Reverse charge does not apply to us, we are fully exempt from VAT
The hospital is exempt from turnover tax. Whom do I send the proof to?
need to add tax exemption to our account pls
do you accept a diplomatic VAT exemption?
Our church is exempt from sales tax in Ohio, please update your records
the tax exempt status that we sent has not been put on our account
We got our charity number last week and want to be VAT exempt now
Please confirm that you have received our exemption certificate and will not charge tax
""",
    "penetration_test": """
We plan a penetration test of our tenant in March, do you need notice?
can our security firm run a pentest against our environment
Are we allowed to scan our own instances for vulnerabilities?
Please approve a penetration test by Nordwall Labs on 12 May
How do we get permission for a pen test of our setup?
our auditor wants to pentest the api, what are the rules
We would like to do a red team exercise on our servers, whom do we inform?
I need your written consent before our testers start the pentest
Is load testing and security scanning of our own account permitted?
we want to run burp against our tenant next week, ok for you?
Do you have a form to announce a penetration test?
Our yearly pentest is due. Which IP ranges may the testers touch?
permission to run nessus scans on our machines please
We hired testers for an external penetration test and they need an authorisation letter from you
could you whitelist the addresses of our pentest company for two days
what is your policy on customers doing penetration tests
Announcing a pentest: 3 to 7 June, against our production environment
May we simulate a phishing and intrusion test on our own workspace?
The pentest that we announced has to move to July
our insurer requires a penetration test of everything we host with you
""",
    "reseller_partnership": """
We are an IT consultancy and would like to resell your product
do you have a partner programme for agencies?
How can we become a reseller?
I'd like to talk about a partnership, we have 40 clients who need hosting
what margin do resellers get
Is there a referral programme? We keep recommending you to our clients
we want to offer your service under our own brand, is white label possible
Our agency manages accounts for several clients, can we get partner conditions?
Please send me the requirements to become a certified partner
we would like to distribute your product in Brazil
apply for the partner program
Who handles channel partners at your company?
As a managed service provider we want to bundle your service with ours
can an msp buy licences from you and sell them on to customers
We recommended you to three companies, is there a commission?
interested in becoming an official integration partner
Our partner status has run out, how do we renew it?
what do we have to do to be listed in your partner directory
could we get a reseller agreement for the Benelux countries
I run a web studio and want to sell your plans to my customers
""",
}

LATER = {
    "tax_exemption": """
Our foundation does not have to pay VAT, here is the certificate, please take the tax off
How do I tell you that we are exempt from sales tax?
please apply our tax exempt certificate
we are a tax exempt museum, can the vat be removed
""",
    "penetration_test": """
our testers want to run a penetration test on our environment next month, do you have to approve that?
are customers allowed to pentest their own tenant
we would like to announce a pentest for the first week of april
I need permission for a vulnerability scan of our own servers
""",
    "reseller_partnership": """
We would like to become a reseller of your service in Austria
is there a partner program that our agency could join?
what commission do partners get for new customers
can we resell your product to our clients
""",
}

OLD = {
    "you took 29 euros twice this month": "duplicate_charge",
    "I forgot my password and need a reset link": "password_reset",
    "please send me the invoice of last month again": "invoice_copy",
    "we want to upgrade to the business plan": "plan_upgrade",
    "is the service down at the moment?": "outage_status",
}
"""What the product was shipped for."""


def lines(text: str) -> list[str]:
    """The messages of a block."""
    return [line for line in text.strip().splitlines() if line]
