"""What does the speaker say by itself, without a network? Sentences, as text and as sound."""
