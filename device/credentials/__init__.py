"""Which secrets are there, where does their owner keep them, and by what are servers trusted?"""
