"""What left the device, and what was it for: where is that kept, and what does it come to?"""
