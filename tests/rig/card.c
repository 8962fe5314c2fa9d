/*
 * A sound card that takes only what it is made for, as an ALSA plugin: PortAudio and ALSA treat it
 * as they treat a real one. It records a ramp that goes up by STEP a sample, each channel APART
 * above the one before it; of a 32 bit card the lower half is not empty.
 *
 * In alsa.conf:  pcm.NAME { type parleycard  format "S16_LE"  rate 16000  channels 6 }
 */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define STEP 7
#define APART 1000
#define LOWER_HALF 0x1234
#define TICK_NS 10000000

typedef struct {
	snd_pcm_ioplug_t io;
	struct timespec began;
	unsigned int recorded;
	int running;
} card_t;

static int card_start(snd_pcm_ioplug_t *io)
{
	card_t *card = io->private_data;
	struct itimerspec ticks = {{0, TICK_NS}, {0, TICK_NS}};

	clock_gettime(CLOCK_MONOTONIC, &card->began);
	card->running = 1;
	return timerfd_settime(io->poll_fd, 0, &ticks, NULL);
}

static int card_stop(snd_pcm_ioplug_t *io)
{
	((card_t *)io->private_data)->running = 0;
	return 0;
}

static snd_pcm_sframes_t card_pointer(snd_pcm_ioplug_t *io)
{
	card_t *card = io->private_data;
	struct timespec now;
	long long ns;

	if (!card->running)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (now.tv_sec - card->began.tv_sec) * 1000000000LL + now.tv_nsec - card->began.tv_nsec;
	return ns * io->rate / 1000000000LL % io->buffer_size;
}

static snd_pcm_sframes_t card_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
				       snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
	card_t *card = io->private_data;

	for (snd_pcm_uframes_t i = 0; i < size; i++, card->recorded++) {
		for (unsigned int channel = 0; channel < io->channels; channel++) {
			const snd_pcm_channel_area_t *area = &areas[channel];
			char *place = (char *)area->addr + (area->first + area->step * (offset + i)) / 8;
			unsigned int value = card->recorded * STEP + channel * APART;

			if (io->format == SND_PCM_FORMAT_S16_LE)
				*(unsigned short *)place = value;
			else
				*(unsigned int *)place = value << 16 | LOWER_HALF;
		}
	}
	return size;
}

static int card_revents(snd_pcm_ioplug_t *io, struct pollfd *polled, unsigned int count,
			unsigned short *revents)
{
	unsigned long long ticks;

	*revents = count && polled[0].revents & POLLIN && read(io->poll_fd, &ticks, 8) == 8 ? POLLIN : 0;
	return 0;
}

static int card_close(snd_pcm_ioplug_t *io)
{
	close(io->poll_fd);
	free(io->private_data);
	return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
	.start = card_start,
	.stop = card_stop,
	.pointer = card_pointer,
	.transfer = card_transfer,
	.poll_revents = card_revents,
	.close = card_close,
};

static int restrict_to(snd_pcm_ioplug_t *io, unsigned int format, long rate, long channels)
{
	unsigned int access[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED};

	snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 2, access);
	snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, &format);
	snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, channels, channels);
	snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, rate, rate);
	snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, 1 << 20);
	return snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 8);
}

SND_PCM_PLUGIN_DEFINE_FUNC(parleycard)
{
	snd_config_iterator_t i, next;
	const char *format = "S16_LE";
	long rate = 16000, channels = 1;
	card_t *card;
	int error;

	(void)root;
	if (stream != SND_PCM_STREAM_CAPTURE)
		return -EINVAL;
	snd_config_for_each(i, next, conf) {
		snd_config_t *entry = snd_config_iterator_entry(i);
		const char *id;

		if (snd_config_get_id(entry, &id) < 0)
			continue;
		if (!strcmp(id, "format"))
			snd_config_get_string(entry, &format);
		else if (!strcmp(id, "rate"))
			snd_config_get_integer(entry, &rate);
		else if (!strcmp(id, "channels"))
			snd_config_get_integer(entry, &channels);
	}
	card = calloc(1, sizeof(*card));
	card->io.version = SND_PCM_IOPLUG_VERSION;
	card->io.name = "a card of the tests";
	card->io.callback = &callbacks;
	card->io.private_data = card;
	card->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	card->io.poll_events = POLLIN;
	error = snd_pcm_ioplug_create(&card->io, name, stream, mode);
	if (error < 0)
		return error;
	restrict_to(&card->io, snd_pcm_format_value(format), rate, channels);
	*pcmp = card->io.pcm;
	return 0;
}
SND_PCM_PLUGIN_SYMBOL(parleycard);
