"""The workshop that makes the sample calls: script -> voices -> vocoder -> placement -> telephone line -> truth."""
