"""A local stand-in for the parts of AWS that Postilion talks to: SES v2, SNS, SQS and End User Messaging SMS.

Unmodified boto3 reaches it by `endpoint_url`; nothing that sends knows that it is there. It keeps mail for a
person to look at, answers with signed events, and misbehaves when told to. It never lets anything leave the
machine.
"""
