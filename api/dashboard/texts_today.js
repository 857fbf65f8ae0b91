// What the page on how the conversations are going says (texts.js).

export const texts = {
	period: ["Period", "अवधि"],
	by_hour: ["Today, by hour", "आज, घंटे से"],
	by_day: ["30 days, by day", "30 दिन, दिन से"],
	by_week: ["12 weeks, by week", "12 हफ़्ते, हफ़्ते से"],
	by_session: ["By session", "सत्र के हिसाब से"],
	messages_in: ["Messages in", "आए संदेश"],
	messages_out: ["Messages out", "गए संदेश"],
	half_within: ["Half answered within", "आधों को जवाब इतने में"],
	nine_of_ten_within: ["9 of 10 answered within", "10 में 9 को जवाब इतने में"],
	answered: ["Answered", "जवाब दिए"],
	of_asked: ["of the questions asked", "पूछे गए सवालों में से"],
	waiting_now: ["Waiting now", "अभी इंतज़ार में"],
	unread_now: ["Unread now", "अभी अपठित"],
	longest: ["longest {span}", "सबसे लंबा {span}"],
	longest_waiting: ["Waiting longest", "सबसे देर से इंतज़ार में"],
	first_answer_by_step: ["Half of the first answers came within", "आधे पहले जवाब इतने में आए"],
	as_table: ["As a table, with links", "तालिका में, लिंक के साथ"],
	time: ["Time", "समय"],
	remove_filter: ["Show all chats", "सभी चैट दिखाएँ"],
};
