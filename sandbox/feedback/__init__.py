"""What comes back after a send: event documents, their signature, the topics and queues, and their
delivery over HTTP.
"""
