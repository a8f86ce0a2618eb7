"""What scripts/flip-streams and scripts/soak run: decoders under damage, threads and time.

golden -> damage -> sweep      every prefix and every flipped bit of 20 golden streams
subjects -> threads            many threads, one codec object, bytes equal to one thread
         -> memory             minutes of round trips, resident memory
"""
