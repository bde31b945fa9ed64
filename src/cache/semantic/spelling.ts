/**
 * Maps common misspellings, British and American forms, and abbreviations to one spelling. A word that also has another meaning (collage,
 * cos) is left alone.
 */
import { pairsOf } from './lists.ts';

export const spelling = pairsOf(`
  acheive=achieve, adress=address, agressive=aggressive, alot=a lot, anaesthesia=anesthesia, analyse=analyze, analysing=analyzing, appearence=appearance,
  armour=armor, arguement=argument, begginer=beginner, begginers=beginner, beginers=beginner, begining=beginning, behaviour=behavior, belive=believe,
  beleive=believe, buisness=business, bussiness=business, cancelled=canceled, catagory=category, catalogue=catalog, centre=center,
  centres=center, cheque=check, cheques=check, collegue=colleague, colour=color, colours=color, comming=coming, commited=committed, completly=completely, counselling=counseling, curiousity=curiosity,
  definately=definitely, defense=defence, demonetisation=demonetization, diarrhoea=diarrhea, diference=difference, differece=difference, diffrence=difference,
  diffrent=different, disapear=disappear, embarass=embarrass, embarassing=embarrassing, embarrasing=embarrassing, engeneering=engineering, enginering=engineering, enrol=enroll, enviroment=environment, excercise=exercise, excercises=exercise,
  exersise=exercise, existance=existence, experiance=experience, explaination=explanation, facebok=facebook, favour=favor, favourite=favorite,
  favourites=favorite, fibre=fiber, flavour=flavor, foriegn=foreign, freind=friend, freinds=friend, fulfil=fulfill, gaurantee=guarantee, goverment=government,
  grey=gray, happend=happened, harbour=harbor, honour=honor, humour=humor, imediately=immediately, immediatly=immediately, independant=independent, intelligance=intelligence,
  interveiw=interview, intrest=interest, intrested=interested, intresting=interesting, jewellery=jewelry, judgement=judgment, knowlege=knowledge, labelled=labeled, labour=labor, langauge=language,
  languge=language, learnt=learned, licence=license, lisence=license, litre=liter, litres=liter, maintainance=maintenance, mathematics=math, maths=math, messege=message,
  messeges=message, metre=meter, metres=meter, modelling=modeling, neccessary=necessary, necesary=necessary, neighbour=neighbor, neighbours=neighbor, occured=occurred,
  odour=odor, oestrogen=estrogen, oppinion=opinion, oppurtunity=opportunity, optimise=optimize, organisation=organization, organisations=organization,
  organise=organize, paediatric=pediatric, payed=paid, persue=pursue, posible=possible, practise=practice, prefered=preferred,
  preperation=preparation, presense=presence, programing=programming, programme=program, programmes=program, pyjamas=pajamas, realise=realize, realised=realized,
  reccomend=recommend, recieve=receive, recieved=received, recognise=recognize, recomend=recommend, recomended=recommended, relavent=relevant, resturant=restaurant,
  rumour=rumor, scholorship=scholarship, sceptical=skeptical, seperate=separate, sience=science, skilful=skillful, speach=speech, succesful=successful, successfull=successful, sucess=success,
  sucessful=successful, theatre=theater, thier=their, tommorow=tomorrow, tommorrow=tomorrow, travelled=traveled, travelling=traveling, truely=truly, tumour=tumor, tyre=tire, tyres=tire, untill=until, vapour=vapor,
  whatsap=whatsapp, watsapp=whatsapp, wich=which, wierd=weird, writting=writing, youre=you are,
  bcoz=because, coz=because, thru=through, tho=though, wat=what, ppl=people, pls=please, plz=please, ok=okay, u=you, ur=your, govt=government,
  yr=year, yrs=year, hrs=hour, mins=minute, kms=kilometer, km=kilometer, kg=kilogram, kgs=kilogram, fb=facebook, insta=instagram, pic=photo, pics=photo,
  info=information, café=cafe, naïve=naive, pokémon=pokemon, résumé=resume, resumé=resume, fiancé=fiance, fiancée=fiancee`);
